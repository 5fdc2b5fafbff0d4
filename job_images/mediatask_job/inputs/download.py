"""Download one input: an outside URL through the address guard, or a URL that the platform itself handed out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx

from mediatask_common.netguard import ForbiddenAddress, Unresolvable, check_url
from mediatask_crds.podcontract import InputsPolicy

from ..failures import InvalidInput

_REDIRECTS = 3


class Unreachable(Exception):
    """The input did not arrive. What that means is the policy's decision."""


class _Later(Unreachable):
    """Did not arrive, but a second try may help."""


def fetch_outside(url: str, file: Path, policy: InputsPolicy, check_stop: Callable[[], None]) -> None:
    """Download a URL from the request into `file`; each redirect is checked like the URL itself.

    Raises:
        Unreachable: no such host, no answer in time, or an answer other than 200.
        InvalidInput: it leads to a forbidden address, or is larger than allowed.
    """
    with httpx.Client(trust_env=False, follow_redirects=False) as client:
        try:
            _follow(client, url, file, policy, check_stop)
        except _Later:
            check_stop()
            _follow(client, url, file, policy, check_stop)


def fetch_granted(url: str, file: Path, policy: InputsPolicy, check_stop: Callable[[], None]) -> None:
    """Download a URL that the API handed out. It is trusted and may lie inside the cluster; no redirects.

    Raises:
        Unreachable: no answer in time, or an answer other than 200.
        InvalidInput: larger than allowed.
    """
    deadline = time.monotonic() + policy.timeout_seconds
    with (
        httpx.Client(trust_env=False, follow_redirects=False) as client,
        _get(client, httpx.URL(url), {}, {}, deadline) as answer,
    ):
        _store(answer, url, file, policy, deadline, check_stop)


def _follow(client: httpx.Client, url: str, file: Path, policy: InputsPolicy, check_stop: Callable[[], None]) -> None:
    deadline = time.monotonic() + policy.timeout_seconds
    here = url
    for _ in range(_REDIRECTS + 1):
        address = _checked_address(here, url, policy)
        # Connect to the address that was checked; the name stays in Host, SNI and the certificate check.
        parsed = httpx.URL(here)
        host = {"Host": parsed.netloc.decode()}
        pinned = parsed.copy_with(host=address)
        with _get(client, pinned, host, {"sni_hostname": parsed.raw_host.decode()}, deadline) as answer:
            if not answer.is_redirect:
                return _store(answer, url, file, policy, deadline, check_stop)
            here = urljoin(here, answer.headers.get("Location", ""))
    raise Unreachable(f"more than {_REDIRECTS} redirects")


def _checked_address(here: str, url: str, policy: InputsPolicy) -> str:
    """The address to connect to for `here`, which is `url` or a redirect from it."""
    try:
        httpx.URL(here)
        return check_url(here, policy.allow_networks).address
    except ForbiddenAddress as error:
        raise InvalidInput("InputForbidden", f"{url}: {error}") from error
    except Unresolvable as error:
        raise Unreachable(str(error)) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidInput("InvalidInputUrl", f"{url}: {error}") from error


@contextmanager
def _get(
    client: httpx.Client, url: httpx.URL, headers: dict[str, str], extensions: dict[str, str], deadline: float
) -> Iterator[httpx.Response]:
    # Identity only: a compressed body would be a bomb that the byte cap sees too late.
    headers = headers | {"Accept-Encoding": "identity", "User-Agent": "mediatask-job"}
    left = max(deadline - time.monotonic(), 0.1)
    try:
        with client.stream("GET", url, headers=headers, extensions=extensions, timeout=left) as answer:
            yield answer
    except httpx.TransportError as error:
        raise _Later(f"{type(error).__name__}: {error}") from error


def _store(
    answer: httpx.Response,
    url: str,
    file: Path,
    policy: InputsPolicy,
    deadline: float,
    check_stop: Callable[[], None],
) -> None:
    """Stream the body into the file, counting."""
    if answer.status_code != 200:
        kind = _Later if answer.status_code >= 500 else Unreachable
        raise kind(f"the server answered {answer.status_code}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise InvalidInput("InputEncoded", f"{url}: compressed transfer is not accepted")
    too_large = InvalidInput("InputTooLarge", f"{url}: more than {policy.max_bytes} bytes")
    length = answer.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > policy.max_bytes:
        raise too_large
    size = 0
    with file.open("wb") as body:
        # As it arrives: gathering larger chunks would let a dripping server hold the job past the deadline.
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > policy.max_bytes:
                raise too_large
            if time.monotonic() > deadline:
                raise Unreachable(f"not complete after {policy.timeout_seconds:g} s")
            check_stop()
            body.write(chunk)
