"""Saying in every file that it is synthetic: an XMP packet with the IPTC digital source type.

Where it goes is the container's business: Pillow writes it into pictures, `append_to_mp4` and `append_to_wav`
add the box or chunk that Adobe's XMP specification (part 3) names, MP3 takes it as an ID3 PRIV frame.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr


class Source(StrEnum):
    """Terms of http://cv.iptc.org/newscodes/digitalsourcetype/."""

    TRAINED = "trainedAlgorithmicMedia"
    """Made by a trained model."""
    ALGORITHM = "algorithmicMedia"
    """Made by rules alone, such as a formant synthesiser."""
    COMPOSITE = "compositeSynthetic"
    """Put together from given material and synthetic parts."""


_XMP_BOX = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_XMP_CHUNK = b"_PMX"

SOFTWARE = "MediaTask"


def xmp(source: Source, description: str = "") -> bytes:
    """The packet, UTF-8."""
    described = (
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(_xml_text(description))}</rdf:li></rdf:Alt>'
        "</dc:description>"
        if description
        else ""
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f" xmp:CreatorTool={quoteattr(SOFTWARE)}"
        f' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source}">'
        f"{described}</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def append_to_mp4(file: Path, packet: bytes) -> None:
    """Add the packet as a top-level `uuid` box; players skip what they do not know."""
    with file.open("ab") as body:
        body.write(struct.pack(">I4s", 8 + 16 + len(packet), b"uuid") + _XMP_BOX + packet)


def append_to_wav(file: Path, packet: bytes) -> None:
    """Add the packet as a chunk of its own and count it in the RIFF header."""
    with file.open("r+b") as body:
        body.seek(0, 2)
        body.write(struct.pack("<4sI", _XMP_CHUNK, len(packet)) + packet + b"\0" * (len(packet) % 2))
        size = body.tell()
        body.seek(4)
        body.write(struct.pack("<I", size - 8))


def _xml_text(text: str) -> str:
    """Without the control characters that XML 1.0 cannot carry."""
    return "".join(char for char in text if char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff"))
