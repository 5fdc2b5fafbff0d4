"""Small files that unpack to huge ones: refused before they take memory or time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.bombs import PICTURES, RECORDINGS

MOST_BYTES, MOST_SECONDS = 512 * 1024**2, 5.0

DECODE = """
import json, re, sys, time
from pathlib import Path
from mediatask_crds.podcontract import InputsPolicy
from mediatask_job.failures import InvalidInput
from mediatask_job.picture.decode import check_picture
from mediatask_job.sound.decode import read_recording

path, began = Path(sys.argv[1]), time.monotonic()
try:
    if sys.argv[2] == "picture":
        check_picture(path, "upload://x", InputsPolicy().max_pixels)
    else:
        read_recording(path, "upload://x")
    said = None
except InvalidInput as error:
    said = f"{error.code}: {error.message}"
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
print(json.dumps([said, time.monotonic() - began, peak]))
"""


@pytest.mark.parametrize(
    ("kind", "name"), [*(("picture", name) for name in PICTURES), *(("recording", name) for name in RECORDINGS)]
)
def test_a_bomb_is_refused(tmp_path: Path, figure: Callable[[str], None], kind: str, name: str) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes((PICTURES | RECORDINGS)[name]())
    command = [sys.executable, "-c", DECODE, str(bomb), kind]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    said, seconds, peak = json.loads(ended.stdout)
    figure(f"{bomb.stat().st_size:>9} bytes, {seconds:5.2f} s, {peak / 1024**2:4.0f} MiB: {said}")
    assert said is not None, "it was accepted"
    assert peak < MOST_BYTES
    assert seconds < MOST_SECONDS
