"""The images' package lists: cut out of the project's lock, and nothing in them that the project does not name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ("operator/requirements.lock", "job_images/requirements.lock", "job_images/requirements-light.lock")


def pins(lock: str) -> dict[str, frozenset[str]]:
    """Hashes by `name==version` and marker."""
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text())
    found = {}
    for entry in entries:
        if pin := re.match(r"([a-z0-9.-]+==\S+)", entry):
            found[pin[1]] = frozenset(re.findall(r"--hash=(\S+)", entry))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_an_images_lock_is_part_of_the_projects(lock: str) -> None:
    """Another version in an image than in the tests would be an untested one. `make lock` writes all of them."""
    whole = pins("requirements.lock")
    assert len(pins(lock)) > 10
    assert {pin: hashes for pin, hashes in pins(lock).items() if whole.get(pin) != hashes} == {}


def test_the_build_is_locked() -> None:
    assert any(pin.startswith("hatchling==") for pin in pins("requirements-build.lock"))
    assert all(pins("requirements-build.lock").values())


@pytest.mark.parametrize("wanted", ["requirements.in", "requirements-light.in"])
def test_a_job_image_asks_for_what_the_project_names(wanted: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        re.split(r"[<>=!\[ ]", line)[0] for line in project["dependencies"] + project["optional-dependencies"]["job"]
    }
    lines = (ROOT / "job_images" / wanted).read_text().splitlines()
    assert {line for line in lines if line and line[0] not in "#-"} <= named


def test_the_job_image_has_all_that_a_job_may_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    job = {re.split(r"[<>=!\[ ]", line)[0] for line in project["optional-dependencies"]["job"]}
    assert job <= {pin.partition("==")[0] for pin in pins("job_images/requirements.lock")}
