"""Writes `docs/settings.md`, the table of every setting: `python docs/generate.py [--check]`.

Each setting is described once, under its definition. Which chart values set it is found out by rendering the chart with
one value changed after the other.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import yaml
from helm_python import Chart
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import mediatask_client.config
import mediatask_crds.podcontract
import mediatask_local.s3server
from mediatask_api.settings import ApiSettings
from mediatask_common.settings import CommonSettings
from mediatask_operator.settings import OperatorSettings

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs" / "settings.md"
TABLE = re.compile(r"<!-- (\w+): begin -->\n.*?<!-- \1: end -->", re.DOTALL)
UNITS = {
    "seconds": "s",
    "days": "days",
    "bytes": "bytes",
    "per_minute": "per minute",
    "per_second": "per second",
    "port": "TCP port",
}
"""Unit of a setting by the end of its name."""
SECRET = "Secret."
"""A description with this sentence marks a setting whose value may not be shown, as the type SecretStr does."""

Values = dict[str, Any]
Variables = dict[str, Any]


class Undescribed(Exception):
    """A setting without a description."""


@dataclass(frozen=True)
class Setting:
    """A row of a table."""

    variable: str
    aliases: tuple[str, ...]
    """Other names that it is read by; `variable` takes precedence."""
    default: str
    words: str
    """Meaning, as it is written under the definition."""
    secret: bool

    @property
    def unit(self) -> str:
        name = self.variable.lower()
        return next((unit for end, unit in UNITS.items() if name.endswith(f"_{end}")), "")


def settings_of(model: type[BaseSettings]) -> Iterator[Setting]:
    """Every setting of a model and of those inside it.

    Raises:
        Undescribed: one has no description.
    """
    prefix = model.model_config["env_prefix"]
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseSettings):
            yield from settings_of(kind)
            continue
        alias = field.validation_alias
        names = (
            [str(each) for each in alias.choices] if isinstance(alias, AliasChoices) else [f"{prefix}{name}".upper()]
        )
        variable, aliases = names[0], tuple(names[1:])
        words = _words(variable, field.description)
        hidden = SecretStr in (kind, *get_args(kind))
        yield Setting(variable, aliases, _default(field), words, hidden or SECRET in words)


def constants_of(module: ModuleType) -> Iterator[Setting]:
    """Every `ENV_*` constant of a module, which names a variable, with the words under it.

    Raises:
        Undescribed: one has none.
    """
    assert module.__file__ is not None
    body = ast.parse(Path(module.__file__).read_text()).body
    for line, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)):
            continue
        if line.targets[0].id.startswith("ENV_"):
            variable = getattr(module, line.targets[0].id)
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
            words = _words(variable, said if isinstance(said, str) else None)
            yield Setting(variable, (), "", words, SECRET in words)


def _words(variable: str, description: str | None) -> str:
    if not (description or "").strip():
        raise Undescribed(f"{variable} has no description: write one under its definition")
    return " ".join(str(description).split())


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value == "":
        return ""
    return str(value) if isinstance(value, Path) else value if isinstance(value, str) else json.dumps(value)


# ---- chart values


@cache
def chart_values() -> Mapping[str, list[str]]:
    """The keys of the chart's values that each variable of API and operator depends on."""
    folder = REPOSITORY / "charts" / "mediatask"
    defaults = yaml.safe_load((folder / "values.yaml").read_text())
    leaves = list(_leaves(defaults))
    found: dict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        # Without what refuses values: an arbitrary one stands for each.
        copy = Path(shutil.copytree(folder, Path(scratch) / "mediatask"))
        (copy / "values.schema.json").unlink()
        (copy / "templates" / "_required.tpl").write_text('{{ define "mediatask.required" }}{{ end }}')
        with Chart.load(copy) as chart:
            for secrets in ("a-secret", ""):
                everything = _filled(defaults, leaves, secrets)
                untouched = _deployments(chart, everything)
                before = _environment(untouched)
                for path in leaves:
                    deployments = _deployments(chart, _changed(everything, path))
                    after = before if deployments == untouched else _environment(deployments)
                    key = ".".join(path)
                    for variable in before.keys() | after.keys():
                        if before.get(variable) != after.get(variable) and key not in found[variable]:
                            found[variable].append(key)
    return found


def _leaves(values: Values, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        elif key == "classes" or not (isinstance(value, dict) or key in ("extraEnv", "imagePullSecrets")):
            yield (*path, key)


def _filled(defaults: Values, leaves: list[tuple[str, ...]], secret: str) -> Values:
    """Every text and list with something in it, so that what depends on one of them is there."""
    values = deepcopy(defaults)
    for path in leaves:
        *parents, key = path
        place = _inside(values, parents)
        if place[key] == "":
            place[key] = secret if key == "existingSecret" else "-".join(path)
    return values


def _changed(values: Values, path: tuple[str, ...]) -> Values:
    changed = deepcopy(values)
    *parents, key = path
    place = _inside(changed, parents)
    value = place[key]
    if isinstance(value, bool):
        place[key] = not value
    elif isinstance(value, int | float):
        place[key] = value + 1
    elif isinstance(value, str):
        place[key] = f"{value}-2" if value else ""
    elif isinstance(value, list) and not any(isinstance(item, dict) for item in value):
        place[key] = ["another"]
    elif key == "classes":
        place[key] = {"image": {"taskTypes": ["generate_image"], "image": "image"}}
    return changed


def _inside(values: Values, parents: list[str]) -> Values:
    for parent in parents:
        values = values[parent]
    return values


def _deployments(chart: Chart, values: Values) -> list[str]:
    """Those of API and operator."""
    texts = chart.render(values, name="mediatask", namespace="media")
    return [text for path, text in sorted(texts.items()) if path.endswith("/deployment.yaml")]


def _environment(deployments: list[str]) -> Variables:
    return {
        entry["name"]: entry.get("value", entry.get("valueFrom"))
        for text in deployments
        for entry in yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]["env"]
    }


# ---- page


def tables() -> dict[str, list[Setting]]:
    """The settings by the part of the page that lists them."""
    shared = list(settings_of(CommonSettings))
    known = {setting.variable for setting in shared}
    return {
        "shared": shared,
        "api": [setting for setting in settings_of(ApiSettings) if setting.variable not in known],
        "operator": [setting for setting in settings_of(OperatorSettings) if setting.variable not in known],
        "job": list(constants_of(mediatask_crds.podcontract)),
        "client": [*constants_of(mediatask_client.config), *constants_of(mediatask_local.s3server)],
    }


def rendered(page: str) -> str:
    """The page with its tables filled anew."""
    parts = tables()
    return TABLE.sub(lambda part: f"<!-- {part[1]}: begin -->\n{_table(parts[part[1]])}<!-- {part[1]}: end -->", page)


def _table(settings: list[Setting]) -> str:
    deployed = any(setting.variable in chart_values() for setting in settings)
    names = ["Variable", "Default", "Unit", *(["Chart value"] if deployed else []), "Meaning"]
    rows = [names, ["---"] * len(names)]
    for setting in settings:
        values = "<br>".join(_code(key) for key in chart_values().get(setting.variable, []))
        words = setting.words.replace(SECRET, "").strip()
        meaning = f"**Secret.** {words}" if setting.secret else words
        cells = [
            _code(setting.variable),
            _code(setting.default),
            setting.unit,
            *([values] if deployed else []),
            meaning,
        ]
        rows.append([cell.replace("|", r"\|") for cell in cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is out of date")
    arguments = parser.parse_args()
    try:
        text = rendered(PAGE.read_text())
    except Undescribed as error:
        sys.exit(str(error))
    if arguments.check and PAGE.read_text() != text:
        sys.exit(f"{PAGE.name} is out of date: run `make settings` and commit what it writes")
    if not arguments.check:
        PAGE.write_text(text)
        print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
