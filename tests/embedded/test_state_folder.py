"""The state folder: for its user alone, and true to the store it was made with."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mediatask_local.child import StartError
from mediatask_local.up import embedded
from support.mode import Rest, until


def _modes(folder: Path) -> Iterator[tuple[Path, int]]:
    """The mode of each file that lies still; half-written objects come and go while the mode runs."""
    for path in [folder, *folder.rglob("*")]:
        with suppress(FileNotFoundError):
            yield path, stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_read_any_of_it(tmp_path: Path) -> None:
    """Media, prompts and logs included, also of the pods."""
    folder = tmp_path / "state"
    with embedded(folder) as info:
        rest = Rest(info)
        task = rest.submit("private", "state")
        until(lambda: rest.status(task)["status"] == "completed")
        modes = dict(_modes(folder))
    written, open_to_others = list(modes), [path for path, mode in modes.items() if mode & 0o077]
    assert any(path.is_relative_to(folder / "media") and path.is_file() for path in written)
    assert not open_to_others


def test_another_store_than_the_folders_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with embedded(tmp_path, store="file"):
        pass
    with pytest.raises(StartError, match=r"store `file`.*--store file"), embedded(tmp_path, store="s3"):
        pass
    monkeypatch.setenv("MEDIATASK_STORE_BUCKET", "films")
    with pytest.raises(StartError, match="store `file`, not in `s3 AWS films`"), embedded(tmp_path, store="s3"):
        pass
    with embedded(tmp_path, store="file"):
        pass
