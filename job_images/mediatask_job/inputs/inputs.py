"""The inputs that a task names by URL, fetched and checked, as files of the pod."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mediatask_crds.podcontract import InputsPolicy

from ..failures import InvalidInput
from ..runtime.api import Api
from ..runtime.timings import Timings
from .download import Unreachable, fetch_granted, fetch_outside

if TYPE_CHECKING:
    from ..picture.decode import PictureFile
    from ..sound.decode import Recording

log = logging.getLogger(__name__)

Checked = TypeVar("Checked")


@dataclass
class Inputs:
    """Fetches inputs. An unreachable one ends the task or is left out with a warning, as the policy says.

    An input that arrived but is unusable (format, size, a decompression bomb) always ends the task: leaving it out
    would hide a mistake.
    """

    api: Api
    attempt: int
    policy: InputsPolicy
    folder: Path
    warnings: list[str]
    timings: Timings
    check_stop: Callable[[], None]

    def pictures(self, urls: Sequence[str]) -> list[PictureFile]:
        """Pictures in the order of their URLs, without those that were left out."""
        from ..picture.decode import check_picture

        return self._all(urls, lambda file, url: check_picture(file, url, self.policy.max_pixels))

    def recording(self, url: str) -> Recording | None:
        """A sound recording; None when it was left out."""
        from ..sound.decode import read_recording

        found = self._all([url], read_recording)
        return found[0] if found else None

    def _all(self, urls: Sequence[str], check: Callable[[Path, str], Checked]) -> list[Checked]:
        with self.timings.stage("inputs"):
            usable = []
            for url in urls:
                file = self._fetch(url)
                if file is not None:
                    usable.append(check(file, url))
            return usable

    def _fetch(self, url: str) -> Path | None:
        self.check_stop()
        # Named by the URL alone: what a stranger calls a file is no name of ours.
        file = self.folder / hashlib.sha256(url.encode()).hexdigest()[:32]
        try:
            if not url.startswith("upload://"):
                fetch_outside(url, file, self.policy, self.check_stop)
            elif (granted := self.api.grant_input(self.attempt, url)) is not None:
                fetch_granted(granted, file, self.policy, self.check_stop)
            else:
                raise Unreachable("the platform knows no such upload")
        except Unreachable as error:
            if self.policy.on_missing == "fail":
                raise InvalidInput("InputUnreachable", f"{url}: {error}") from error
            log.warning("left out %s: %s", url, error)
            self.warnings.append(f"input left out, not reachable: {url}: {error}")
            return None
        return file
