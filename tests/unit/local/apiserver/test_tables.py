"""What `kubectl get` prints: durations and the paths of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_local.apiserver.printing import jsonpath
from mediatask_local.apiserver.printing.table import columns_of, duration, render
from mediatask_local.apiserver.registry.resources import BUILTIN


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (3600, "60m"),
        (10_799, "179m"),
        (11_100, "3h5m"),
        (61_200, "17h"),
        (183_600, "2d3h"),
        (3_888_000, "45d"),
        (63_936_000, "2y10d"),
        (-1, "0s"),
        (-5, "<invalid>"),
    ],
)
def test_durations_as_kubectl_writes_them(seconds: int, text: str) -> None:
    assert duration(seconds) == text


OBJECT: dict[str, Any] = {
    "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
    "status": {
        "conditions": [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}],
        "n": 0,
        "runs": [{"code": code} for code in (1, 2, 3)],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.n", [0]),
        ('.status.conditions[?(@.type=="B")].status', ["True"]),
        (".status.conditions[?(@.type=='C')].status", []),
        (".status.conditions[0].type", ["A"]),
        (".status.conditions[-1].type", ["B"]),
        (".status.conditions[*].type", ["A", "B"]),
        (".status.conditions[7].type", []),
        (r".metadata.labels.app\.kubernetes\.io/name", ["x"]),
        (r".metadata.labels['app\.kubernetes\.io/name']", ["x"]),
        (".metadata.labels['app.kubernetes.io/name']", []),
        (".status.n.deeper", []),
        (".status.n[0]", []),
        (".status.conditions[-1:].type", ["B"]),
        (".status.conditions[0:1].type", ["A"]),
        (".status.conditions[:].type", ["A", "B"]),
        (".status.conditions[::2].type", ["A"]),
        (".status.conditions[5:].type", []),
        (".status.none[-1:].type", []),
        (".status.conditions[0,1].type", ["A", "B"]),
        (".status.conditions[?(@.type!='A')].type", ["B"]),
        (".status.conditions[?(@.type)].type", ["A", "B"]),
        (".status.conditions[?(@.missing)].type", []),
        (".status.runs[?(@.code>1)].code", [2, 3]),
        (".status.runs[?(@.code<=2)].code", [1, 2]),
        (".status.runs[?(@.code=='2')].code", []),
        (".status.runs[*].code", [1, 2, 3]),
        (".status.runs.*.code", [1, 2, 3]),
        ("..code", [1, 2, 3]),
    ],
)
def test_json_paths(path: str, found: list[Any]) -> None:
    assert jsonpath.find(OBJECT, path) == found


@pytest.mark.parametrize(
    "path", [".status[", ".a[x]", '.a["x"]', ".a{b}", ".a[?(@.b=~'c')]", ".a[1:2:3:4]", ".a[?(@.b"]
)
def test_what_is_no_json_path(path: str) -> None:
    with pytest.raises(ValueError, match=r"JSON path|array index|operator"):
        jsonpath.parse(path)


@pytest.mark.parametrize("resource", [r for r in BUILTIN if not r.is_review], ids=lambda r: f"{r.plural}-{r.group}")
def test_every_kind_can_be_printed_however_empty(resource: Any) -> None:
    obj = {"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    table = render(resource, [obj], {})
    assert len(table["rows"][0]["cells"]) == len(columns_of(resource))
