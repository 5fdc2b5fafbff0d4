"""Writes the parts of `charts/mediatask` that say what is said elsewhere: `python charts/generate.py [--check]`.

- `files/crds/`: copies of `crds/*.yaml`; a chart can hold no file from outside its folder.
- `values.schema.json`, `$defs/classSpec`: a class of the values is the spec of a MediaTaskClass, whose types exist.
- `README.md`, the table of values: from the `# --` comments of `values.yaml`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mediatask_crds.tasktypes import task_types

REPOSITORY = Path(__file__).parent.parent
CHART = REPOSITORY / "charts" / "mediatask"
TABLE = re.compile(r"(?<=<!-- values: begin -->\n).*(?=<!-- values: end -->)", re.DOTALL)
DEFAULTED = "image"
"""The one required field of a class's spec that the chart fills in."""

Schema = dict[str, Any]


def rendered() -> dict[Path, str]:
    """Path to content of every file that is written, wholly or in part."""
    crds = {path.name: path.read_text() for path in sorted((REPOSITORY / "crds").glob("*.yaml"))}
    schema, readme = CHART / "values.schema.json", CHART / "README.md"
    return {
        **{CHART / "files" / "crds" / name: text for name, text in crds.items()},
        schema: _with_class_spec(schema.read_text(), crds["tasks.ft.tc_mediataskclasses.yaml"]),
        readme: TABLE.sub(lambda _: _table((CHART / "values.yaml").read_text()), readme.read_text()),
    }


def _with_class_spec(schema: str, crd: str) -> str:
    whole = json.loads(schema)
    version = yaml.safe_load(crd)["spec"]["versions"][0]
    spec = _strict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    spec["required"].remove(DEFAULTED)
    # The CRD takes any name. Installed plug-ins' types are among those that are found here.
    spec["properties"]["taskTypes"]["items"] = {"enum": sorted(task_types())}
    whole["$defs"]["classSpec"] = spec
    return json.dumps(whole, indent=2) + "\n"


def _strict(schema: Schema) -> Schema:
    """The JSON Schema of a structural one, with unknown fields refused as strict field validation refuses them."""
    out = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "description"}
    if "properties" in out:
        out["properties"] = {name: _strict(value) for name, value in out["properties"].items()}
        out.setdefault("additionalProperties", bool(schema.get("x-kubernetes-preserve-unknown-fields")))
    elif isinstance(out.get("additionalProperties"), dict):
        out["additionalProperties"] = _strict(out["additionalProperties"])
    if "items" in out:
        out["items"] = _strict(out["items"])
    return out


def _table(values: str) -> str:
    rows = ["| Key | Default | |", "|---|---|---|"]
    defaults = yaml.safe_load(values)
    for path, words in documented(values):
        default: Any = defaults
        for key in path:
            default = default[key]
        rows.append(f"| `{'.'.join(path)}` | `{json.dumps(default)}` | {words.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def documented(values: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key with a `# --` comment above it, and the comment's words."""
    path: list[tuple[int, str]] = []
    words: list[str] = []
    for line in values.splitlines():
        indent = len(line) - len(line.lstrip())
        if comment := re.fullmatch(r"\s*# -- (.*)", line):
            words = [comment[1]]
        elif words and (more := re.fullmatch(r"\s*# (.*)", line)):
            words.append(more[1])
        elif key := re.match(r"\s*([A-Za-z0-9]+):", line):
            path = [*(step for step in path if step[0] < indent), (indent, key[1])]
            if words:
                yield tuple(name for _, name in path), " ".join(words)
            words = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    check = parser.parse_args().check
    stale = [path for path, text in rendered().items() if not path.exists() or path.read_text() != text]
    if check and stale:
        names = ", ".join(str(path.relative_to(REPOSITORY)) for path in stale)
        sys.exit(f"out of date: {names}. Run `make chart` and commit what it writes.")
    for path in stale:
        path.write_text(rendered()[path])
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
