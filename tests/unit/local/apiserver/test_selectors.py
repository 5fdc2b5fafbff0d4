"""Label and field selectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.apiserver.errors import ApiError
from mediatask_local.apiserver.reading.selectors import field_selector, label_selector

LABELS = st.dictionaries(st.sampled_from(["a", "b", "x.io/c"]), st.sampled_from(["1", "2", "3"]))


def matches(selector: str, labels: dict[str, str]) -> bool:
    predicate = label_selector(selector)
    return predicate is None or predicate({"metadata": {"labels": labels}})


@given(LABELS)
def test_opposites_are_opposite(labels: dict[str, str]) -> None:
    for one, other in (("a=1", "a!=1"), ("a in (1,2)", "a notin (1,2)"), ("x.io/c", "!x.io/c")):
        assert matches(one, labels) is not matches(other, labels)


@given(LABELS)
def test_a_comma_means_and(labels: dict[str, str]) -> None:
    assert matches("a in (1, 2),b==1", labels) is (matches("a in (1,2)", labels) and matches("b=1", labels))


@given(LABELS)
def test_an_empty_selector_matches_all(labels: dict[str, str]) -> None:
    assert matches("", labels)


@pytest.mark.parametrize("selector", ["a in b", "=x", "a=b=c", "a,,&", "a in (1", "a b"])
def test_what_is_no_selector_is_400(selector: str) -> None:
    with pytest.raises(ApiError) as caught:
        label_selector(selector)
    assert caught.value.code == 400


POD = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "k"}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("metadata.name=p,status.phase==Running", True),
        ("spec.nodeName!=k", False),
        ("spec.nodeName!=", True),
        ("status.phase=Failed", False),
    ],
)
def test_fields_of_pods(selector: str, wanted: bool) -> None:
    predicate = field_selector(selector, "pods")
    assert predicate is not None
    assert predicate(POD) is wanted


def test_only_some_fields_can_be_selected() -> None:
    with pytest.raises(ApiError, match=r"field label not supported: spec\.foo"):
        field_selector("spec.foo=1", "pods")
    assert field_selector("spec.foo=1", "pods", ("spec.foo",)) is not None


def test_events_answer_to_both_of_their_names() -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"name": "x"}, "reportingComponent": "c"}
    for selector in ("involvedObject.name=x", "regarding.name=x", "reportingController=c"):
        predicate = field_selector(selector, "events")
        assert predicate is not None
        assert predicate(event), selector


def test_true_and_false_as_kubernetes_writes_them() -> None:
    predicate = field_selector("spec.cancel=true", "x.io", ("spec.cancel",))
    assert predicate is not None
    assert predicate({"metadata": {}, "spec": {"cancel": True}})
