"""Durable storage: one SQLite file in WAL mode, one transaction per write, committed before it is published.

With `synchronous=NORMAL` a commit survives when the process is killed; a power failure may lose the last commits, but
cannot corrupt the file. A commit takes about 40 microseconds, so group commit is not needed, and every write is simply
committed, then published, then answered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

_SCHEMA = """
create table if not exists objects (
    resource text not null, namespace text not null, name text not null, body blob not null,
    primary key (resource, namespace, name)
) without rowid;
create table if not exists counters (name text primary key, value integer not null) without rowid;
insert or ignore into counters values ('revision', 0);
"""


class Storage:
    """Rows of `resource` ("jobs.batch"), namespace ("" for cluster scope), name and the object's JSON."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    def revision(self) -> int:
        """The last revision assigned. It has a row of its own, so that deletions never decrease it."""
        row: tuple[int] = self._db.execute("select value from counters where name = 'revision'").fetchone()
        return row[0]

    def rows(self) -> Iterator[tuple[str, str, str, bytes]]:
        yield from self._db.execute("select resource, namespace, name, body from objects")

    def write(self, revision: int, resource: str, namespace: str, name: str, body: bytes | None) -> None:
        """Commit one object (None: its removal) together with its new revision."""
        execute = self._db.execute
        execute("begin")
        try:
            if body is None:
                execute(
                    "delete from objects where resource = ? and namespace = ? and name = ?",
                    (resource, namespace, name),
                )
            else:
                execute("insert or replace into objects values (?, ?, ?, ?)", (resource, namespace, name, body))
            execute("update counters set value = ? where name = 'revision'", (revision,))
            execute("commit")
        except sqlite3.Error:
            execute("rollback")
            raise

    def close(self) -> None:
        self._db.close()
