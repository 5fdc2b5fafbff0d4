"""Inputs named by URL: fetched with limits, refused with a reason, left out when the class says so."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def film(store: Any, *names: str) -> dict[str, Any]:
    urls = [name if "://" in name else f"{store.url}/inputs/{name}" for name in names]
    return {
        "scene_description": "rain",
        "storyboard_images": urls,
        "duration": 0.5,
        "fps": 8,
        "width": 128,
        "height": 64,
        "seed": 1,
    }


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 32), mode: str = "RGB") -> bytes:
    body = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(body, kind)
    return body.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """A valid PNG of black pixels, a thousand times smaller than what it unpacks to."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pack = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_pictures_of_known_formats_are_really_fetched(run: Any, store: Any, kind: str) -> None:
    (store.folder / "still").write_bytes(picture(kind))
    ended = run("generate_video", film(store, "still"))
    assert ended.code == 0, ended.log
    assert store.input_requests == ["still"]
    assert ended.words.result.metadata["warnings"] == []
    assert "inputs" in ended.words.result.timings


def test_references_are_resolved_by_the_platform(run: Any, store: Any) -> None:
    for name in ("u1", "t1-image.png"):
        (store.folder / name).write_bytes(picture())
        store.digests[name] = hashlib.sha256(picture()).hexdigest()
    assert run("generate_video", film(store, "upload://u1", "task://t1/image.png")).code == 0
    assert sorted(store.input_requests) == ["t1-image.png", "u1"]


def test_a_stored_file_with_another_digest_is_refused(run: Any, store: Any) -> None:
    (store.folder / "u1").write_bytes(picture())
    store.digests["u1"] = "0" * 64
    ended = run("generate_video", film(store, "upload://u1"), inputs={"on_missing": "skip"})
    assert (ended.code, ended.words.error.code) == (10, "InputDamaged")
    assert "upload://u1" in ended.words.error.message


@pytest.mark.parametrize("name", ["gone.png", "upload://gone.png", "http://no-such-host.invalid/x.png"])
def test_an_unreachable_input_ends_the_task_by_default(run: Any, store: Any, name: str) -> None:
    ended = run("generate_video", film(store, name))
    assert ended.code == 10
    assert ended.words.error.code == "InputUnreachable"
    assert name in ended.words.error.message


def test_an_upload_that_the_platform_refuses_is_unreachable(run: Any, store: Any) -> None:
    store.always["inputs"] = 404
    ended = run("generate_video", film(store, "upload://u1"))
    assert ended.code == 10
    assert "upload://u1" in ended.words.error.message


def test_an_unreachable_input_is_left_out_when_the_class_says_so(run: Any, store: Any) -> None:
    (store.folder / "here.png").write_bytes(picture())
    ended = run("generate_video", film(store, "gone.png", "here.png"), inputs={"on_missing": "skip"})
    assert ended.code == 0, ended.log
    [warning] = ended.words.result.metadata["warnings"]
    assert f"{store.url}/inputs/gone.png" in warning
    assert ended.words.result.metadata["stills"] == 1


def test_many_warnings_of_long_urls_still_fit_into_the_result(run: Any, store: Any) -> None:
    (store.folder / "here.png").write_bytes(picture())
    gone = [f"gone.png?{number}{'x' * 1900}" for number in range(60)]
    ended = run("generate_video", film(store, "here.png", *gone), inputs={"on_missing": "skip"})
    assert ended.code == 0, ended.log
    assert store.results[0]["result"]["metadata"]["warnings"][-1] == "and 20 more"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html>not a picture</html>", "InputUnusable"),
        (b"", "InputUnusable"),
        (picture()[:60], "InputUnusable"),
        (b"II*\0" + bytes(100), "InputUnusable"),  # TIFF
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "InputUnusable"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "InputUnusable"),
        (picture(size=(4, 400)), "InputUnusable"),
        (png_bomb(30000, 3000), "InputTooLarge"),
    ],
)
def test_what_is_no_picture_is_refused_even_when_missing_ones_are_skipped(
    run: Any, store: Any, content: bytes, code: str
) -> None:
    (store.folder / "x.png").write_bytes(content)
    ended = run("generate_video", film(store, "x.png"), inputs={"on_missing": "skip"})
    assert ended.code == 10, ended.log
    assert ended.words.error.code == code
    assert "x.png" in ended.words.error.message


def test_the_largest_accepted_picture_stays_within_memory(run: Any, store: Any, print_peak: str) -> None:
    (store.folder / "large.png").write_bytes(png_bomb(8000, 8000))
    ended = run("generate_video", film(store, "large.png"), setup=print_peak, cold=True)
    assert ended.code == 0, ended.log
    assert int(ended.log.split("peak ")[1]) < 512 * 1024


def test_more_bytes_than_allowed_are_not_read(run: Any, store: Any) -> None:
    (store.folder / "x.png").write_bytes(picture(size=(256, 256), mode="RGB"))
    ended = run("generate_video", film(store, "x.png"), inputs={"max_bytes": 500})
    assert ended.code == 10
    assert ended.words.error.code == "InputTooLarge"


@pytest.mark.parametrize(("pause", "limits"), [(0.0, {"max_bytes": 100_000}), (0.05, {"timeout_seconds": 1})])
def test_a_body_without_end_is_cut_off(run: Any, store: Any, pause: float, limits: dict[str, Any]) -> None:
    store.slow_input = pause
    ended = run("generate_video", film(store, "drip"), inputs=limits)
    assert ended.code == 10
    assert ended.words.error.code == ("InputTooLarge" if "max_bytes" in limits else "InputUnreachable")


def test_inputs_are_fetched_side_by_side_and_used_in_their_order(run: Any, store: Any) -> None:
    for name in ("a", "b", "c", "d"):
        (store.folder / name).write_bytes(picture())
    store.together = asyncio.Barrier(4)
    ended = run("generate_video", film(store, "a", "b", "c", "d", "a"))
    assert ended.code == 0, ended.log
    assert sorted(store.input_requests) == ["a", "b", "c", "d"]
    assert ended.words.result.metadata["stills"] == 5


def test_all_inputs_together_have_a_limit(run: Any, store: Any) -> None:
    for name in ("a", "b", "c"):
        (store.folder / name).write_bytes(picture())
    size = len(picture())
    ended = run("generate_video", film(store, "a", "b", "c"), inputs={"max_total_bytes": 3 * size})
    assert ended.code == 0, ended.log
    ended = run("generate_video", film(store, "a", "b", "c"), inputs={"max_total_bytes": 3 * size - 1})
    assert ended.code == 10
    assert ended.words.error.code == "InputsTooLarge"
    assert "maxTotalBytes" in ended.words.error.message


def test_all_inputs_together_have_a_time(run: Any, store: Any) -> None:
    """Each within its own time, but not all of them."""
    store.slow_input = 0.05
    names = [f"drip?{number}" for number in range(8)]
    began = time.monotonic()
    ended = run(
        "generate_video",
        film(store, *names),
        inputs={"timeout_seconds": 30, "max_seconds": 1, "on_missing": "skip"},
        model={"builtin": "no-such-model"},
    )
    assert ended.code == 12, ended.log
    assert ended.log.count("left out") == 8
    assert time.monotonic() - began < 25


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:8002/x.png",
        "http://[::ffff:10.0.0.1]/x.png",
        "http://user:secret@example.com/x.png",
        "http://0.0.0.0/x.png",
    ],
)
def test_addresses_inside_are_never_asked(run: Any, store: Any, url: str) -> None:
    ended = run("generate_video", film(store, url), inputs={"on_missing": "skip"})
    assert ended.code == 10
    assert ended.words.error.code in ("InputForbidden", "InvalidInputUrl")
    assert not store.results


def test_loopback_is_forbidden_outside_the_embedded_mode(run: Any, store: Any) -> None:
    (store.folder / "x.png").write_bytes(picture())
    ended = run("generate_video", film(store, "x.png"), inputs={"allow_networks": []})
    assert ended.code == 10
    assert ended.words.error.code == "InputForbidden"
    assert store.input_requests == []


def test_redirects_are_followed_and_checked(run: Any, store: Any) -> None:
    (store.folder / "x.png").write_bytes(picture())
    redirect = f"{store.url}/inputs/redirect/1?to="
    assert run("generate_video", film(store, f"{redirect}{store.url}/inputs/x.png")).code == 0
    ended = run("generate_video", film(store, f"{redirect}http://10.0.0.1/x.png"))
    assert ended.code == 10
    assert ended.words.error.code == "InputForbidden"


def test_redirects_without_end_are_unreachable(run: Any, store: Any) -> None:
    ended = run("generate_video", film(store, f"{store.url}/inputs/redirect/1"))
    assert ended.code == 10
    assert "redirects" in ended.words.error.message
    assert len(store.input_requests) == 4


def test_a_picture_is_upright_opaque_and_small_enough(tmp_path: Path) -> None:
    from mediatask_job.picture.decode import check_picture

    image = Image.new("RGBA", (60, 40), (255, 0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(tmp_path / "x.png", exif=exif)
    opened = check_picture(tmp_path / "x.png", "x", 10_000).open(30)
    assert opened.mode == "RGB"
    assert opened.size == (20, 30)
    assert opened.getpixel((5, 5)) == (255, 255, 255)
