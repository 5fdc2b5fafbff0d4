"""Tokens of an identity provider: forged in every known way, and a provider that rotates, hangs, floods or is away."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mediatask_api.auth import jwks as jwks_module
from mediatask_api.auth.jwks import Jwks
from support.front import ALLOWED, PROBE, Figure, Front, p99, until
from support.issuer import AUDIENCE, Issuer, issuer, public_jwk, rsa_key

FORGED_IDS = 300


@pytest.fixture
async def provider() -> AsyncIterator[Issuer]:
    async with issuer() as made:
        yield made


def environment(provider: Issuer) -> dict[str, str]:
    return {f"JWT_{name.upper()}": value for name, value in provider.settings.items()}


def part(value: Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def raw(header: Any, claims: Any, signature: bytes = b"") -> str:
    return f"{part(header)}.{part(claims)}.{part(signature)}"


def public_pem(key: Any) -> bytes:
    return key.public_key().public_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hmac_signed(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """PyJWT refuses to sign with a public key, and so would help nobody to try."""
    import hashlib
    import hmac

    content = f"{part(header)}.{part(claims)}"
    return f"{content}.{part(hmac.new(secret, content.encode(), hashlib.sha256).digest())}"


def forged(provider: Issuer, encrypting: Any, trap: str) -> dict[str, str]:
    """Tokens that no honest issuer has made, by what is wrong with them."""
    key = provider.keys["one"]
    claims, now = provider.claims(), int(time.time())
    attacker, weak, curve = rsa_key(), provider.keys["weak"], ec.generate_private_key(ec.SECP256R1())
    good = provider.token("one")
    head, body, signature = good.split(".")
    kid = {"kid": "one"}

    def signed(by: Any = key, algorithm: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
        return jwt.encode(provider.claims(**changes), by, algorithm, headers=kid | (header or {}))

    own = public_jwk(attacker, kid="one")
    pem, jwk = public_pem(key), json.dumps(public_jwk(key, kid="one", use="sig")).encode()
    return {
        "alg none": raw({"alg": "none"} | kid, claims),
        "alg None": raw({"alg": "None"} | kid, claims),
        "alg nOnE": raw({"alg": "nOnE"} | kid, claims),
        "alg none, old signature": f"{part({'alg': 'none'} | kid)}.{body}.{signature}",
        "alg empty": raw({"alg": ""} | kid, claims),
        "alg missing": raw(kid, claims),
        "alg a list": raw({"alg": ["RS256"]} | kid, claims),
        "HS256 with the public key": hmac_signed({"alg": "HS256"} | kid, claims, pem),
        "HS256 with the public JWK": hmac_signed({"alg": "HS256"} | kid, claims, jwk),
        "HS256 with nothing": hmac_signed({"alg": "HS256"} | kid, claims, b""),
        "HS256 with the shared key of the set": hmac_signed({"alg": "HS256", "kid": "shared"}, claims, b"k" * 32),
        "RS256 named, HMAC made": hmac_signed({"alg": "RS256"} | kid, claims, pem),
        "another RSA key": signed(attacker),
        "another RSA key in the header": signed(attacker, header={"jwk": own}),
        "jku of the attacker": signed(attacker, header={"jku": trap}),
        "x5u of the attacker": signed(attacker, header={"x5u": trap}),
        "x5c of the attacker": signed(attacker, header={"x5c": [base64.b64encode(public_pem(attacker)).decode()]}),
        "an EC key under an RSA key's id": signed(curve, "ES256"),
        "RS512, which is not accepted": signed(algorithm="RS512"),
        "PS256, which is not accepted": signed(algorithm="PS256"),
        "ES256 named, RSA made": f"{part({'alg': 'ES256'} | kid)}.{body}.{signature}",
        "a key that is too short": signed(weak, header={"kid": "weak"}),
        "a key for encryption": signed(encrypting, header={"kid": "encrypting"}),
        "an id that does not exist": signed(header={"kid": "two"}),
        "an id that is a path": signed(header={"kid": "../../../dev/null"}),
        "an id that is a query": signed(header={"kid": "one' UNION SELECT 'k"}),
        "no id, several keys": jwt.encode(claims, attacker, "RS256"),
        "the claims changed": f"{head}.{part(claims | {'role': 'producer', 'projects': ['*']})}.{signature}",
        "the signature cut off": f"{head}.{body}.",
        "the signature cut short": f"{head}.{body}.{signature[:-6]}",
        "the signature of zeros": f"{head}.{body}.{part(bytes(256))}",
        "no signature": f"{head}.{body}",
        "five parts": f"{head}..{body}..{signature}",
        "expired": signed(exp=now - 120),
        "expired, as text": signed(exp="9999999999999x"),
        "never expires": signed(exp=None),
        "expires in no number": raw({"alg": "RS256"} | kid, claims | {"exp": float("inf")}, b"x"),
        "not valid yet": signed(nbf=now + 600),
        "issued in the future": signed(iat=now + 600),
        "another issuer": signed(iss="https://evil.example.com"),
        "an issuer with a slash more": signed(iss=f"{provider.name}/"),
        "no issuer": signed(iss=None),
        "another audience": signed(aud="payroll"),
        "audience in another case": signed(aud=AUDIENCE.upper()),
        "no audience": signed(aud=None),
        "no subject": signed(sub=None),
        "subject a number": raw({"alg": "RS256"} | kid, claims | {"sub": 1}, b"x"),
        "a critical extension": signed(header={"crit": ["exp"]}),
        "an unencoded payload": signed(header={"b64": False, "crit": ["b64"]}),
        "a logout token": signed(header={"typ": "logout+jwt"}),
        "a DPoP proof": signed(header={"typ": "dpop+jwt"}),
        "a deep claim": f"{head}.{part(b'[' * 5000)}.{signature}",
        "a deep header": f"{part(b'{{' * 3000)}.{body}.{signature}",
        "not UTF-8": f"{head}.{part(bytes(range(128, 200)))}.{signature}",
        "a service account's": signed(sub="system:serviceaccount:default:default", aud=["mediatask-api"]),
        "20,000 characters": signed(padding="x" * 20_000),
    }


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
async def test_forged_tokens(open_front: Any, provider: Issuer, figure: Figure) -> None:
    encrypting = rsa_key()
    provider.keys = {"weak": rsa_key(1024), "one": provider.keys["one"]}
    provider.extra = [
        {"kty": "oct", "kid": "shared", "alg": "HS256", "k": part(b"k" * 32)},
        public_jwk(encrypting, kid="encrypting", use="enc"),
        *("nonsense", 1, None, {}, {"kty": "RSA", "kid": "one", "n": "!", "e": "AQAB"}),
    ]
    trapped: list[str] = []
    trap = await asyncio.start_server(lambda reader, writer: trapped.append("asked"), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/jwks"
    accepted: dict[str, int] = {}
    tokens = forged(provider, encrypting, address)
    async with open_front(**environment(provider)) as front:
        url = f"{front.urls[0]}{PROBE}"
        async with front.client() as client:
            for name, token in tokens.items():
                bearer = {"Authorization": f"Bearer {token}"}
                status = (await client.get(url, headers=bearer)).status_code
                if status != 401:
                    accepted[name] = status
            good = {"Authorization": f"Bearer {provider.token('one')}"}
            assert (await client.get(url, headers=good)).status_code == ALLOWED, "and an honest one is accepted"
    trap.close()
    figure(
        f"{len(tokens) - len(accepted)} of {len(tokens)} refused with 401; {len(trapped)} requests to addresses in them"
    )
    assert accepted == {}
    assert trapped == []


async def caller(front: Front, provider: Issuer, done: asyncio.Event, statuses: list[int], took: list[float]) -> None:
    """Calls with a token of the provider's newest key, until it is done."""
    async with front.client() as client:
        while not done.is_set():
            bearer = {"Authorization": f"Bearer {provider.token()}"}
            start = time.monotonic()
            statuses.append((await client.get(f"{front.urls[0]}{PROBE}", headers=bearer)).status_code)
            took.append(time.monotonic() - start)


async def test_rotated_keys(open_front: Any, provider: Issuer, figure: Figure) -> None:
    """The provider changes to new keys, one after the other, while callers come with tokens of the newest one."""
    rotations = 4
    async with open_front(**environment(provider)) as front:
        done, statuses, took = asyncio.Event(), [], []  # type: ignore[var-annotated]
        calling = [asyncio.create_task(caller(front, provider, done, statuses, took)) for _ in range(4)]
        for number in range(rotations):
            enough = len(statuses) + 40
            provider.rotate(f"key-{number}")

            async def called(enough: int = enough) -> bool:
                return len(statuses) >= enough

            await until(called)
        done.set()
        await asyncio.gather(*calling)
    errors = sum(status != ALLOWED for status in statuses)
    figure(
        f"{rotations} rotations under {len(statuses)} calls, {errors} errors, slowest call {max(took):.1f} s, "
        f"key set read {provider.asked} times"
    )
    assert errors == 0
    assert provider.asked <= 2 * (rotations + 1), "who comes during a reading may need the next one"


def memory_mib(pid: int) -> float:
    """Resident memory of a process, at its highest."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.mark.parametrize("answer", ["dead", "slow", "huge", "error", "html", "elsewhere"])
async def test_the_key_set_is(open_front: Any, provider: Issuer, figure: Figure, answer: str) -> None:
    """Known keys go on being accepted at once; tokens of unknown ones are refused soon; nothing grows."""
    async with open_front(**environment(provider)) as front:
        url = f"{front.urls[0]}{PROBE}"
        async with front.client() as client:
            good = {"Authorization": f"Bearer {provider.token()}"}
            assert (await client.get(url, headers=good)).status_code == ALLOWED
            before = memory_mib(front.pids[0])
            provider.answer = answer
            if answer == "dead":
                await provider.stop()
            unknown = jwt.encode(provider.claims(), rsa_key(), "RS256", headers={"kid": "new"})
            start = time.monotonic()
            attack = [asyncio.create_task(_call(front, unknown)) for _ in range(20)]
            took = []
            while not all(task.done() for task in attack):
                begin = time.monotonic()
                assert (await client.get(url, headers=good)).status_code == ALLOWED
                took.append(time.monotonic() - begin)
                await asyncio.sleep(0.02)
            seconds = time.monotonic() - start
            grown = memory_mib(front.pids[0]) - before
            refused = [task.result() for task in attack]
            # A provider that is well again is taken up without a restart.
            provider.answer = "well"
            if answer == "dead":
                await provider.listen()
            provider.rotate("newest")
            assert await _call(front, provider.token()) == ALLOWED
    figure(
        f"20 tokens of unknown keys refused after {seconds:.1f} s at most; known ones meanwhile: {len(took)} calls, "
        f"0 refused, p99 {p99(took):.0f} ms; memory +{grown:.0f} MiB"
    )
    assert refused == [401] * 20
    assert seconds < 15
    assert grown < 32


async def test_a_provider_that_is_dead_from_the_start(open_front: Any, provider: Issuer, figure: Figure) -> None:
    await provider.stop()
    async with open_front(**environment(provider)) as front:
        start = time.monotonic()
        status = await _call(front, provider.token())
        seconds = time.monotonic() - start
        async with front.client(front.admin) as client:
            keys = (await client.get(f"{front.urls[0]}{PROBE}")).status_code
        await provider.listen()
        later = await _call(front, provider.token())
    figure(f"a token gets {status} after {seconds:.1f} s, API keys work; once it is up, tokens do, too")
    assert (status, keys, later) == (503, ALLOWED, ALLOWED)


async def test_a_flood_of_key_ids_that_do_not_exist(open_front: Any, provider: Issuer, figure: Figure) -> None:
    key = rsa_key()
    async with open_front(**environment(provider)) as front:
        assert await _call(front, provider.token()) == ALLOWED
        asked, start = provider.asked, time.monotonic()
        tokens = [jwt.encode(provider.claims(), key, "RS256", headers={"kid": f"k{n}"}) for n in range(FORGED_IDS)]
        answers = await asyncio.gather(*(_call(front, token) for token in tokens))
        seconds = time.monotonic() - start
        read = provider.asked - asked
    figure(f"{FORGED_IDS} refused in {seconds:.1f} s; the provider was asked {read} times")
    assert set(answers) == {401}
    assert read <= seconds + 2


async def test_keys_are_renewed_beside_the_requests(
    provider: Issuer, figure: Figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a slow provider while the key of their token is known."""
    keys = Jwks(provider.jwks_url, ["RS256", "ES256"])
    assert await keys.key("one", "RS256")
    monkeypatch.setattr(jwks_module, "FRESH_SECONDS", 0.0)
    provider.answer = "slow"
    start = time.monotonic()
    for _ in range(100):
        assert await keys.key("one", "RS256")
    seconds = time.monotonic() - start
    await keys.close()
    figure(f"100 look-ups of a stale key set with a hanging provider in {seconds * 1000:.0f} ms")
    assert seconds < 1


async def _call(front: Front, token: str) -> int:
    async with front.client(token=token) as client:
        return (await client.get(f"{front.urls[0]}{PROBE}")).status_code
