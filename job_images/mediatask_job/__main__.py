"""`python -m mediatask_job`: one attempt of one task."""

from __future__ import annotations

import sys

from .run import main

sys.exit(main())
