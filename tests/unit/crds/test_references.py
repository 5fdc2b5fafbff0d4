"""References and the types of inputs: what counts as which."""

from __future__ import annotations

import pytest

from mediatask_crds.mediatypes import input_types
from mediatask_crds.references import OutputReference, UploadReference, is_reference, parse_reference
from mediatask_crds.tasktypes import input_urls
from mediatask_crds.tasktypes.generate_image import GenerateImage

ID = "0123456789abcdef" * 2


def test_both_forms() -> None:
    assert parse_reference(f"upload://{ID}") == UploadReference(ID)
    assert parse_reference("task://scene-1.a/image-2.png") == OutputReference("scene-1.a", "image-2.png")
    data = GenerateImage(prompt="x", style_guide=f"upload://{ID}", reference_images=["task://t/a.png"])
    assert [is_reference(url) for _, url in input_urls(data)] == [True, True]
    assert not is_reference("https://upload.example/x")


@pytest.mark.parametrize(
    "text",
    [
        *("upload://", f"upload://{ID}/x", f"upload://{ID[:-1]}", f"upload://{ID}\n", f"upload://{ID.upper()}"),
        *(
            "task://t",
            "task://t/",
            "task:///x",
            "task://t/../x",
            "task://t/.x",
            "task://T/x",
            "task://t/a/b",
            "task://-/x",
        ),
        *("task://t/x\n", "task://t%2f/x", "https://example.com/x", "UPLOAD://x"),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a reference"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\4", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
    ],
)
def test_files_are_known_by_their_first_bytes(head: bytes, kind: str) -> None:
    assert input_types(head)[0] == kind


@pytest.mark.parametrize(
    "head",
    [
        *(
            b"",
            b"\xff",
            b"<svg",
            b"<!DOCTYPE html>",
            b"MZ",
            b"\x7fELF",
            b"%PDF",
            b"PK\3\4",
            b"II*\0",
            b"BM" + bytes(30),
        ),
        *(
            b"RIFF\0\0\0\0AVI ",
            b"#EXTM3U",
            b"ffconcat version 1.0",
            b"\0\0\0\0moov",
            b" \x89PNG\r\n\x1a\n",
            b"\xff\xf1P",
        ),
    ],
)
def test_anything_else_is_none_of_them(head: bytes) -> None:
    assert input_types(head) == ()
