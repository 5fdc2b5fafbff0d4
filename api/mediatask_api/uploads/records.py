"""What the store's listing says of uploads: there is no other record of them. Pure.

    uploads/<project>/<upload id>/granted.<bytes>    made with the grant; holds what was announced
    uploads/<project>/<upload id>/content            the file, created by the caller's PUT
    uploads/<project>/<upload id>/used.<YYYY-MM-DD>  a task that uses it was submitted that day

So one listing of a project tells its quota, grants that are still open included, and what has expired.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from mediatask_common.store import Listed
from mediatask_crds.references import PART_BYTES

ROOT = "uploads/"
GRANT_SECONDS = 4 * 3600
"""How long a grant holds; time for 5 GiB at 3 Mbit/s."""
GRACE = timedelta(hours=1)
"""Between the end of an upload's use and its deletion: a submit that was under way then has ended."""

_KEY = re.compile(r"uploads/([^/]+)/([0-9a-f]{32})/(content|granted\.([0-9]{1,12})|used\.([0-9]{4}-[0-9]{2}-[0-9]{2}))")


@dataclass(frozen=True)
class Lifetimes:
    """How long uploads are kept."""

    unused: timedelta
    """From the upload on, without a task that uses it."""
    used: timedelta
    """From the day on which a task last used it."""


@dataclass(frozen=True)
class Upload:
    """An upload as the store has it."""

    project: str
    id: str
    announced: int
    """Bytes."""
    granted_at: datetime
    content: Listed | None
    used: date | None
    """The last day of use."""
    keys: tuple[str, ...]
    """All of its objects; the grant is the last one."""

    @property
    def complete(self) -> bool:
        """Whether the content that was announced is there."""
        return self.content is not None and self.content.bytes == self.announced

    def expires_at(self, lifetimes: Lifetimes) -> datetime:
        """From then on no task may be submitted that uses it."""
        if self.content is None:
            return self.granted_at + timedelta(seconds=GRANT_SECONDS)
        if self.used is None:
            return self.content.modified + lifetimes.unused
        return datetime.combine(self.used + timedelta(days=1), time(), UTC) + lifetimes.used


def folder(project: str, upload_id: str | None = None) -> str:
    """Prefix of a project's uploads, or of one of them."""
    return f"{ROOT}{project}/{upload_id}/" if upload_id else f"{ROOT}{project}/"


def content_key(project: str, upload_id: str) -> str:
    return f"{folder(project, upload_id)}content"


def grant_key(project: str, upload_id: str, size: int) -> str:
    return f"{folder(project, upload_id)}granted.{size}"


def use_key(project: str, upload_id: str, day: date) -> str:
    return f"{folder(project, upload_id)}used.{day.isoformat()}"


def part_sizes(size: int) -> list[int]:
    """Bytes of each part of a file; one where it is uploaded whole."""
    bounds = [*range(0, size, PART_BYTES), size]
    return [end - start for start, end in pairwise(bounds)]


async def read(objects: AsyncIterator[Listed]) -> AsyncIterator[Upload]:
    """The uploads of a listing, in which the objects of each stand together. Other keys than ours are passed over."""
    key: tuple[str, str] | None = None
    group: list[tuple[re.Match[str], Listed]] = []
    async for listed in objects:
        found = _KEY.fullmatch(listed.key)
        if found is None:
            continue
        if (found[1], found[2]) != key and group:
            yield _upload(group)
            group = []
        key = found[1], found[2]
        group.append((found, listed))
    if group:
        yield _upload(group)


def _upload(group: Iterable[tuple[re.Match[str], Listed]]) -> Upload:
    grants = [(int(found[4]), listed) for found, listed in group if found[4]]
    content = next((listed for found, listed in group if found[3] == "content"), None)
    days = [day for found, _ in group if found[5] and (day := _day(found[5]))]
    first = min(listed.modified for _, listed in group)
    others = [listed.key for found, listed in group if not found[4]]
    project, upload_id = next((found[1], found[2]) for found, _ in group)
    return Upload(
        project=project,
        id=upload_id,
        # A content without its grant was left behind by an upload that outlived it.
        announced=grants[0][0] if grants else -1,
        granted_at=grants[0][1].modified if grants else first,
        content=content,
        used=max(days, default=None),
        keys=(*others, *(listed.key for _, listed in grants)),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
