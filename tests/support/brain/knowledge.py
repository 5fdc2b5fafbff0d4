"""What the Brain knows: documents with embeddings, a graph and workflows, in SQLite; each project for itself.

Embeddings are hashed n-grams of characters: texts that share words and parts of words are near each other.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
import threading
import uuid
import zlib
from pathlib import Path
from typing import Any

DIMENSIONS = 256
_SCHEMA = """
create table if not exists documents (id text primary key, project text, content text, metadata text, embedding text);
create table if not exists nodes (id text, project text, label text, properties text, primary key (project, id));
create table if not exists edges (project text, source text, relationship text, target text);
create table if not exists workflows (id text, project text, data text, primary key (project, id));
"""
_QUERY = re.compile(
    r"\s*MATCH\s*\((\w+):(\w+)\)\s*(?:-\[:(\w+)\]->\s*\((\w+)(?::(\w+))?\)\s*)?RETURN\s+(\w+)\s*", re.IGNORECASE
)


def embed(text: str) -> list[float]:
    """The embedding of a text, of length 1."""
    counts = [0.0] * DIMENSIONS
    words = re.findall(r"\w+", text.lower())
    for word in words:
        padded = f"<{word}>"
        for size in (3, 4, 5):
            for at in range(max(len(padded) - size + 1, 1)):
                counts[zlib.crc32(padded[at : at + size].encode()) % DIMENSIONS] += 1
    length = math.sqrt(sum(one * one for one in counts)) or 1.0
    return [one / length for one in counts]


class Knowledge:
    """The store; from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def store_document(self, project: str, content: str, metadata: dict[str, Any]) -> dict[str, Any]:
        id_ = f"doc-{uuid.uuid4().hex[:12]}"
        row = (id_, project, content, json.dumps(metadata), json.dumps(embed(content)))
        self._run("insert into documents values (?, ?, ?, ?, ?)", *row)
        return {"id": id_, "content": content, "metadata": metadata, "project_id": project}

    def documents(self, project: str) -> list[dict[str, Any]]:
        """All of a project, oldest first."""
        rows = self._run("select id, content, metadata from documents where project = ? order by rowid", project)
        return [{"id": id_, "content": text, "metadata": json.loads(data)} for id_, text, data in rows]

    def search(self, project: str, embedding: list[float], limit: int) -> list[dict[str, Any]]:
        """The nearest documents of a project, nearest first."""
        rows = self._run("select id, content, metadata, embedding from documents where project = ?", project)
        found = [
            {
                "id": id_,
                "content": content,
                "metadata": json.loads(metadata),
                "project_id": project,
                "score": round(sum(a * b for a, b in zip(embedding, json.loads(vector), strict=True)), 6),
            }
            for id_, content, metadata, vector in rows
        ]
        return sorted(found, key=lambda one: -one["score"])[:limit]

    def node(self, project: str, id_: str, label: str, **properties: Any) -> None:
        self._run("insert or replace into nodes values (?, ?, ?, ?)", id_, project, label, json.dumps(properties))

    def relate(self, project: str, source: str, relationship: str, target: str) -> None:
        self._run("insert into edges values (?, ?, ?, ?)", project, source, relationship, target)

    def neighbors(self, project: str, id_: str) -> list[dict[str, Any]]:
        rows = self._run(
            "select n.id, n.label, n.properties, e.relationship from edges e join nodes n on n.project = e.project and "
            "n.id = case when e.source = ?2 then e.target else e.source end "
            "where e.project = ?1 and (e.source = ?2 or e.target = ?2) order by n.id",
            project,
            id_,
        )
        return [
            {"id": id_, "labels": [label], "properties": json.loads(properties), "relationship": kind}
            for id_, label, properties, kind in rows
        ]

    def query(self, project: str, cypher: str) -> list[dict[str, Any]]:
        """`MATCH (a:Label) RETURN a` and `MATCH (a:Label)-[:KIND]->(b) RETURN b`. Raises ValueError for more."""
        match = _QUERY.fullmatch(cypher)
        if match is None:
            raise ValueError("this store knows only the simplest of Cypher")
        first, label, kind, second, second_label, wanted = match.groups()
        rows = self._run("select id, label, properties from nodes where project = ? order by id", project)
        nodes = {id_: (label_, {"id": id_, **json.loads(properties)}) for id_, label_, properties in rows}
        starts = [id_ for id_, (label_, _) in nodes.items() if label_ == label]
        if wanted == first and kind is None:
            return [{wanted: nodes[id_][1]} for id_ in starts]
        edges = self._run("select source, target from edges where project = ? and relationship = ?", project, kind)
        pairs = [(a, b) for a, b in edges if a in starts and second_label in (None, nodes[b][0])]
        if wanted not in (first, second):
            raise ValueError(f"{wanted} is not matched")
        return [{wanted: nodes[a if wanted == first else b][1]} for a, b in pairs]

    def store_workflow(self, project: str, id_: str, data: dict[str, Any]) -> None:
        self._run("insert or replace into workflows values (?, ?, ?)", id_, project, json.dumps(data))

    def workflows(self, project: str) -> dict[str, dict[str, Any]]:
        """All of a project, by id."""
        rows = self._run("select id, data from workflows where project = ?", project)
        return {id_: json.loads(data) for id_, data in rows}

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()
