"""The inputs that a task names by URL, fetched and checked, as files of the pod."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mediatask_crds.podcontract import InputsPolicy
from mediatask_crds.references import is_reference

from ..failures import InvalidInput
from ..runtime.api import Api
from ..runtime.timings import Timings
from .download import Downloader, Unreachable

if TYPE_CHECKING:
    from ..picture.decode import PictureFile
    from ..sound.decode import Recording

log = logging.getLogger(__name__)

Checked = TypeVar("Checked")

_AT_ONCE = 4
"""Downloads at a time: most of one is waiting."""


class _Abandoned(Exception):
    """Another input has failed."""


class Inputs:
    """Fetches inputs. An unreachable one ends the task or is left out with a warning, as the policy says.

    An input that arrived but is unusable (format, size, a decompression bomb) always ends the task: leaving it out
    would hide a mistake.
    """

    def __init__(
        self,
        api: Api,
        attempt: int,
        policy: InputsPolicy,
        folder: Path,
        warnings: list[str],
        timings: Timings,
        check_stop: Callable[[], None],
    ) -> None:
        self._api = api
        self._attempt = attempt
        self._policy = policy
        self._folder = folder
        self._warnings = warnings
        self._timings = timings
        self._check_stop = check_stop
        self._failed = threading.Event()
        self._downloader = Downloader(policy, self._check)
        self._files: dict[str, Path | None] = {}

    def pictures(self, urls: Sequence[str]) -> list[PictureFile]:
        """Pictures in the order of their URLs, without those that were left out."""
        from ..picture.decode import check_picture

        return self._all(urls, lambda file, url: check_picture(file, url, self._policy.max_pixels))

    def recording(self, url: str) -> Recording | None:
        """A sound recording; None when it was left out."""
        from ..sound.decode import read_recording

        found = self._all([url], read_recording)
        return found[0] if found else None

    def _all(self, urls: Sequence[str], check: Callable[[Path, str], Checked]) -> list[Checked]:
        with self._timings.stage("inputs"):
            self._fetch([url for url in dict.fromkeys(urls) if url not in self._files])
            return [check(file, url) for url in urls if (file := self._files[url]) is not None]

    def _fetch(self, urls: Sequence[str]) -> None:
        """Into `_files`, several at a time. After the first failure the others are given up."""
        with ThreadPoolExecutor(_AT_ONCE, "input") as pool:
            tries = [pool.submit(self._try, url) for url in urls]
        failures = [error for tried in tries if (error := tried.exception()) is not None]
        if failures:
            raise next((error for error in failures if not isinstance(error, _Abandoned)), failures[0])
        for url, tried in zip(urls, tries, strict=True):
            reached = tried.result()
            if isinstance(reached, Unreachable):
                log.warning("left out %s: %s", url, reached)
                self._warnings.append(f"input left out, not reachable: {url}: {reached}")
            self._files[url] = reached if isinstance(reached, Path) else None

    def _try(self, url: str) -> Path | Unreachable:
        try:
            return self._download(url)
        except Unreachable as error:
            if self._policy.on_missing == "skip":
                return error
            self._failed.set()
            raise InvalidInput("InputUnreachable", f"{url}: {error}") from error
        except BaseException:
            self._failed.set()
            raise

    def _download(self, url: str) -> Path:
        self._check()
        # Named by the URL alone: what a stranger calls a file is no name of ours.
        file = self._folder / hashlib.sha256(url.encode()).hexdigest()[:32]
        if not is_reference(url):
            self._downloader.outside(url, file)
            return file
        granted = self._api.grant_input(self._attempt, url)
        if granted is None:
            raise Unreachable("the platform knows no such file, or no longer")
        self._downloader.granted(granted.url, file)
        if granted.sha256 not in (None, _sha256(file)):
            raise InvalidInput("InputDamaged", f"{url}: the content is not what was announced: its SHA-256 differs")
        return file

    def _check(self) -> None:
        """Called between the pieces of every download."""
        self._check_stop()
        if self._failed.is_set():
            raise _Abandoned


def _sha256(file: Path) -> str:
    with file.open("rb") as body:
        return hashlib.file_digest(body, "sha256").hexdigest()
