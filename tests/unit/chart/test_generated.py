"""What the chart repeats of other places says the same there."""

from __future__ import annotations

import yaml

from .conftest import CHART


def test_every_value_is_explained() -> None:
    table = (CHART / "README.md").read_text()

    def leaves(values: dict[str, object], path: str = "") -> list[str]:
        found = []
        for key, value in values.items():
            nested = isinstance(value, dict) and value and key != "resources"
            found += leaves(value, f"{path}{key}.") if nested else [f"{path}{key}"]  # type: ignore[arg-type]
        return found

    keys = leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    assert len(keys) > 80
    assert [key for key in keys if f"| `{key}` |" not in table] == []
