"""`python -m mediatask_api`."""

from .main import main

main()
