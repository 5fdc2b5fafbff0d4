"""Writes `api/openapi.json`, the document of the REST API: `python api/generate.py [--check | --allow-breaking]`.

What a client of the document as it was could not live with is named, and refused unless it is allowed: a release
that does not raise the major version may not have any.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mediatask_api.app import api_document
from mediatask_api.http.openapi.breaking import breaking_changes

FILE = Path(__file__).with_name("openapi.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file is out of date")
    parser.add_argument("--allow-breaking", action="store_true", help="write changes that break clients, too")
    arguments = parser.parse_args()
    new = api_document()
    text = json.dumps(new, indent=1, sort_keys=True) + "\n"
    if arguments.check:
        if not FILE.exists() or FILE.read_text() != text:
            sys.exit(f"{FILE.name} is out of date: run `make openapi`")
        return
    old: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else new
    breaking = breaking_changes(old, new)
    for change in breaking:
        print(f"breaking: {change}", file=sys.stderr)
    if breaking and not arguments.allow_breaking:
        sys.exit("nothing was written; if that is meant: python api/generate.py --allow-breaking")
    FILE.write_text(text)
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
