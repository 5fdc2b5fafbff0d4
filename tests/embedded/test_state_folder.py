"""The state folder is for its user alone."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mediatask_local.up import UpInfo
from support.mode import Rest, until


def _modes(folder: Path) -> Iterator[tuple[Path, int]]:
    """The mode of each file that lies still; half-written objects come and go while the mode runs."""
    for path in [folder, *folder.rglob("*")]:
        with suppress(FileNotFoundError):
            yield path, stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_read_any_of_it(embedded_mode: UpInfo) -> None:
    """Media, prompts and logs included, also of the pods."""
    rest = Rest(embedded_mode)
    task = rest.submit("private", "state")
    until(lambda: rest.status(task)["status"] == "completed")
    folder = embedded_mode.kubeconfig.parents[1]
    modes = dict(_modes(folder))
    written, open_to_others = list(modes), [path for path, mode in modes.items() if mode & 0o077]
    assert any(path.is_relative_to(folder / "media") and path.is_file() for path in written)
    assert not open_to_others
