"""A file store's process killed before any of its file operations leaves a whole object or none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KILLED = """
import asyncio, itertools, json, os, signal, sys
from pathlib import Path
from mediatask_common.settings import StoreSettings
from mediatask_common.store.file import FileStore

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir"}
KEY = "projects/p/uid/1/image.png"
root, left = Path(sys.argv[1]), -1

def count(event, args):
    global left
    if left >= 0 and event in OPERATIONS and str(root) in str(args[0]):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

def create(folder, content):
    store = FileStore(StoreSettings(folder=folder))
    return asyncio.run(store.create(KEY, content, "image/png"))

def found(folder):
    store = FileStore(StoreSettings(folder=folder))
    async def look():
        about = await store.head(KEY)
        return None if about is None else [about.content_type, about.sha256, (await store.read(KEY)).decode()]
    return asyncio.run(look())

sys.addaudithook(count)
for point in itertools.count():
    folder = root / str(point)
    child = os.fork()
    if child == 0:
        left = point
        create(folder, b"first")
        os._exit(0)
    finished = os.waitpid(child, 0)[1] == 0
    after = found(folder)
    secret = (folder / "secret").read_bytes()
    print(json.dumps({"after": after, "again": create(folder, b"second"), "at_last": found(folder),
                      "secret": len(secret), "finished": finished}))
    if finished:
        break
"""
FIRST, SECOND = (
    ["image/png", "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e", "first"],
    ["image/png", "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4", "second"],
)


def test_killed_at_any_moment_it_leaves_a_whole_object_or_none(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=True)
    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    assert outcomes[-1]["finished"]
    assert len(outcomes) > 10, "each operation was a moment to die at"
    for outcome in outcomes:
        assert outcome["secret"] == 64
        if outcome["after"] is None:
            assert (outcome["again"], outcome["at_last"]) == (True, SECOND), "the key is still free"
        else:
            assert (outcome["after"], outcome["again"], outcome["at_last"]) == (FIRST, False, FIRST)
    assert {outcome["after"] is None for outcome in outcomes} == {True, False}
