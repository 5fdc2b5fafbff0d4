"""An identity provider for tests: its keys over HTTP, well or badly, and tokens of every kind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "mediatask"


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def public_jwk(key: Any, **fields: Any) -> dict[str, Any]:
    """The public half of a key, as a set has it."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), **fields}


class Issuer:
    """What it serves and how can be changed at any time.

    Attributes:
        keys: by id; the last one signs.
        extra: further entries of the set, as they are.
        answer: `well`, `dead` (connections are refused), `slow` (a byte a second), `huge` (10 MB), `error` (500),
            `html`, or `elsewhere` (a redirect).
        asked: how often the set was asked for.
    """

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"one": rsa_key()}
        self.extra: list[Any] = []
        self.answer = "well"
        self.asked = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def name(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def jwks_url(self) -> str:
        return f"{self.name}/jwks"

    @property
    def settings(self) -> dict[str, str]:
        """Of the API, without their prefix."""
        return {"issuer": self.name, "audience": AUDIENCE, "jwks_url": self.jwks_url}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a valid token; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "role": "director",
            "projects": ["film"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str | None = None, **changes: Any) -> str:
        """A token that is signed with one of the keys, the last one when none is named."""
        kid = kid or list(self.keys)[-1]
        key = self.keys[kid]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(self.claims(**changes), key, algorithm, headers={"kid": kid})

    def rotate(self, kid: str) -> None:
        """A new key signs from now on; those before stay in the set."""
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            status, body = self._body()
            length = 10_000_000 if self.answer == "huge" else len(body)
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
            if self.answer == "elsewhere":
                head += "Location: http://169.254.169.254/\r\n"
            writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode())
            if self.answer == "slow":
                for byte in body:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(1)
            elif self.answer == "huge":
                for _ in range(length // 100_000):
                    writer.write(b" " * 100_000)
                    await writer.drain()
            else:
                writer.write(body)
                await writer.drain()
        writer.close()

    def _body(self) -> tuple[str, bytes]:
        if self.answer == "error":
            return "500 Internal Server Error", b"{}"
        if self.answer == "html":
            return "200 OK", b"<html>maintenance</html>"
        if self.answer == "elsewhere":
            return "302 Found", b""
        entries = [public_jwk(key, kid=kid, use="sig") for kid, key in self.keys.items()]
        return "200 OK", json.dumps({"keys": [*self.extra, *entries]}).encode()


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    """One that serves until the end of the block."""
    made = Issuer()
    await made.listen()
    yield made
    await made.stop()
