"""Downloading inputs: outside URLs through the address guard, and URLs that the platform itself handed out."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import urljoin

import httpx

from mediatask_common.netguard import ForbiddenAddress, Unresolvable, check_url
from mediatask_crds.podcontract import InputsPolicy

from ..failures import InvalidInput
from .budget import Budget

_REDIRECTS = 3


class Unreachable(Exception):
    """The input did not arrive. What that means is the policy's decision."""


class _Later(Unreachable):
    """Did not arrive, but a second try may help."""


class _NoConnection(_Later):
    """The address does not take connections; another one may."""


class Downloader:
    """Downloads inputs within what the class allows, from several threads if need be."""

    def __init__(self, policy: InputsPolicy, check_stop: Callable[[], None]) -> None:
        self._policy = policy
        self._budget = Budget(policy)
        self._check_stop = check_stop

    def outside(self, url: str, file: Path) -> None:
        """Download a URL from the request into `file`; each redirect is checked like the URL itself.

        Raises:
            Unreachable: no such host, no answer in time, or an answer other than 200.
            InvalidInput: it leads to a forbidden address, or is larger than allowed.
        """
        with self._client() as client:
            try:
                self._follow(client, url, file)
            except _Later:
                self._check_stop()
                self._follow(client, url, file)

    def granted(self, url: str, file: Path) -> None:
        """Download a URL that the API handed out. It is trusted and may lie inside the cluster; no redirects.

        Raises:
            Unreachable: no answer in time, or an answer other than 200.
            InvalidInput: larger than allowed.
        """
        deadline = self._budget.deadline()
        with (
            self._client() as client,
            _get(client, httpx.URL(url), {}, {}, deadline) as answer,
        ):
            self._store(answer, url, file, deadline)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # One for all: reading the certificates of all authorities takes longer than a small download.
        return httpx.create_ssl_context(trust_env=False)

    def _client(self) -> httpx.Client:
        # Each hop has a connection of its own: the certificate of one that is kept was checked for another name.
        return httpx.Client(
            trust_env=False,
            follow_redirects=False,
            verify=self._tls,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def _follow(self, client: httpx.Client, url: str, file: Path) -> None:
        deadline = self._budget.deadline()
        here = url
        for _ in range(_REDIRECTS + 1):
            addresses = _checked_addresses(here, url, self._policy)
            with _get_from(client, httpx.URL(here), addresses, deadline) as answer:
                if not answer.is_redirect:
                    return self._store(answer, url, file, deadline)
                try:
                    here = urljoin(here, answer.headers.get("Location", ""))
                except ValueError as error:
                    raise Unreachable(f"redirected to what is no URL: {error}") from error
        raise Unreachable(f"more than {_REDIRECTS} redirects")

    def _store(self, answer: httpx.Response, url: str, file: Path, deadline: float) -> None:
        """Stream the body into the file, counting."""
        if answer.status_code != 200:
            kind = _Later if answer.status_code >= 500 else Unreachable
            raise kind(f"the server answered {answer.status_code}")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise InvalidInput("InputEncoded", f"{url}: compressed transfer is not accepted")
        most = self._policy.max_bytes
        too_large = InvalidInput("InputTooLarge", f"{url}: more than {most} bytes (the class's inputs.maxBytes)")
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > most:
            raise too_large
        size = 0
        with file.open("wb") as body:
            # As it arrives: gathering larger chunks would let a dripping server hold the job past the deadline.
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size > most:
                    raise too_large
                self._budget.take(len(chunk))
                if time.monotonic() > deadline:
                    raise Unreachable("not complete in the time that the class allows")
                self._check_stop()
                body.write(chunk)


def _checked_addresses(here: str, url: str, policy: InputsPolicy) -> Sequence[str]:
    """The addresses to connect to for `here`, which is `url` or a redirect from it."""
    try:
        httpx.URL(here)
        return check_url(here, policy.allow_networks, policy.deny_networks).addresses
    except ForbiddenAddress as error:
        raise InvalidInput("InputForbidden", f"{url}: {error}") from error
    except Unresolvable as error:
        raise Unreachable(str(error)) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidInput("InvalidInputUrl", f"{url}: {error}") from error


@contextmanager
def _get_from(
    client: httpx.Client, url: httpx.URL, addresses: Sequence[str], deadline: float
) -> Iterator[httpx.Response]:
    """The answer of the first address that takes the connection; each has its share of the time."""
    # Connect to the address that was checked; the name stays in Host, SNI and the certificate check.
    host, sni = {"Host": url.netloc.decode()}, {"sni_hostname": url.raw_host.decode()}
    for left in range(len(addresses), 0, -1):
        pinned = url.copy_with(host=addresses[-left])
        try:
            with _get(client, pinned, host, sni, deadline, connect_share=1 / left) as answer:
                yield answer
                return
        except _NoConnection:
            if left == 1:
                raise


@contextmanager
def _get(
    client: httpx.Client,
    url: httpx.URL,
    headers: dict[str, str],
    extensions: dict[str, str],
    deadline: float,
    connect_share: float = 1,
) -> Iterator[httpx.Response]:
    # Identity only: a compressed body would be a bomb that the byte cap sees too late.
    headers = headers | {"Accept-Encoding": "identity", "User-Agent": "mediatask-job"}
    left = max(deadline - time.monotonic(), 0.1)
    try:
        timeout = httpx.Timeout(left, connect=left * connect_share)
        with client.stream("GET", url, headers=headers, extensions=extensions, timeout=timeout) as answer:
            yield answer
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _NoConnection(f"{type(error).__name__}: {error}") from error
    except httpx.InvalidURL as error:  # httpx looks at a redirect also where it does not follow it
        raise Unreachable(f"redirected to what is no URL: {error}") from error
    except httpx.TransportError as error:
        raise _Later(f"{type(error).__name__}: {error}") from error
