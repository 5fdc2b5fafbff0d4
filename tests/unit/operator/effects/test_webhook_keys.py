"""The keys that webhooks carry: read again when changed, kept when damaged, given to those who may have them."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediatask_common.netguard import Target
from mediatask_operator.effects.keys import WebhookKeys, decode_api_key, decode_secrets
from mediatask_operator.metrics import Metrics

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, so").decode()
OTHER = "whsec_" + base64.b64encode(b"another one of thirty-two bytes!").decode()
LOOPBACK = Target("http", "localhost", 8080, ("127.0.0.1", "::1"), "/")


class Files:
    """The two files, and what the operator makes of them."""

    def __init__(self, folder: Path) -> None:
        self.secrets, self.api_key = folder / "secrets", folder / "api-key"
        self.secrets.write_text(SECRET)
        self.api_key.write_text("key-1\n")
        self.metrics = Metrics()
        self._version = 1
        self.keys = WebhookKeys(self.secrets, self.api_key, ["localhost"], self.metrics.key_file_damaged)

    def write(self, path: Path, content: str | bytes) -> None:
        """Write a file anew; its time changes even where the file system's clock does not."""
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self._version += 1
        os.utime(path, ns=(self._version, self._version))

    def damaged(self, path: Path) -> float | None:
        return self.metrics.registry.get_sample_value("mediatask_webhook_key_file_damaged", {"file": path.name})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_rotated_keys_are_read_again(files: Files) -> None:
    files.write(files.secrets, f"{OTHER}\n{SECRET}\n")
    files.write(files.api_key, "key-2")
    assert files.keys.secrets() == decode_secrets(f"{OTHER} {SECRET}")
    assert files.keys.api_key(LOOPBACK) == "key-2"


DAMAGE: list[Callable[[Files, Path], Any]] = [
    lambda files, path: files.write(path, ""),
    lambda files, path: files.write(path, "\n\n"),
    lambda files, path: files.write(path, b"\xff\xfe\x00"),
    lambda files, path: files.write(path, "half a\x07 key"),
    lambda files, path: path.unlink(),
    lambda files, path: (path.unlink(), path.mkdir()),
]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("which", ["secrets", "api_key"])
def test_a_damaged_file_leaves_the_last_good_keys_in_use(files: Files, which: str, damage: Any) -> None:
    path: Path = getattr(files, which)
    before = files.keys.secrets(), files.keys.api_key(LOOPBACK)
    with capture_logs() as logs:
        damage(files, path)
        for _ in range(5):
            assert (files.keys.secrets(), files.keys.api_key(LOOPBACK)) == before
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert files.damaged(path) == 1
    assert SECRET not in str(logs)


def test_a_repaired_file_is_used_again(files: Files) -> None:
    files.write(files.secrets, "rubbish")
    files.keys.secrets()
    files.write(files.secrets, OTHER)
    assert files.keys.secrets() == decode_secrets(OTHER)
    assert files.damaged(files.secrets) == 0


@pytest.mark.parametrize("content", ["", "secret", "whsec_%%%", "whsec", "whsec_", SECRET + " x"])
def test_the_operator_does_not_start_with_a_damaged_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets"
    path.write_text(content)
    with pytest.raises(ValueError, match="secret"):
        WebhookKeys(path, None, (), Metrics().key_file_damaged)


@pytest.mark.parametrize("content", ["", " \n", "two\nlines", "ключ", "bell\x07"])
def test_an_api_key_is_one_line_of_a_header(content: str) -> None:
    with pytest.raises(ValueError, match="API key"):
        decode_api_key(content)


def test_secrets_are_what_stands_behind_their_prefix() -> None:
    first, second = (base64.b64encode(key).decode() for key in (b"first", b"second"))
    assert decode_secrets(f"whsec_{first}\nwhsec_{second}\n") == [b"first", b"second"]
    for wrong in ("", "whsec_", first, f"whsec_{first}\n{second}", f"whsec_{first}!", f"whsec_{first[:-1]}"):
        with pytest.raises(ValueError, match="webhook secret"):
            decode_secrets(wrong)


def test_without_files_there_are_no_keys() -> None:
    keys = WebhookKeys(None, None, ["localhost"], Metrics().key_file_damaged)
    assert (keys.secrets(), keys.api_key(LOOPBACK)) == ([], None)


@pytest.mark.parametrize(
    ("hosts", "scheme", "host", "address", "given"),
    [
        (["hooks.example.com"], "https", "hooks.example.com", "93.184.215.14", True),
        (["Hooks.Example.com"], "https", "hooks.example.com", "93.184.215.14", True),
        (["*.example.com"], "https", "hooks.example.com", "93.184.215.14", True),
        (["*.example.com"], "https", "a.b.example.com", "93.184.215.14", True),
        (["*.example.com", "b.org"], "https", "b.org", "93.184.215.14", True),
        (["localhost"], "http", "localhost", "127.0.0.1", True),
        (["localhost"], "http", "localhost", "::1", True),
        ([], "https", "hooks.example.com", "93.184.215.14", False),
        ([], "http", "localhost", "127.0.0.1", False),
        (["hooks.example.com"], "http", "hooks.example.com", "93.184.215.14", False),
        (["hooks.example.com"], "http", "hooks.example.com", "10.0.0.1", False),
        (["hooks.example.com"], "https", "evil.example.com", "93.184.215.14", False),
        (["hooks.example.com"], "https", "hooks.example.com.evil.org", "93.184.215.14", False),
        (["hooks.example.com"], "https", "a.hooks.example.com", "93.184.215.14", False),
        (["*.example.com"], "https", "example.com", "93.184.215.14", False),
        (["*.example.com"], "https", "evilexample.com", "93.184.215.14", False),
        (["*.example.com"], "https", "x.example.com.evil.org", "93.184.215.14", False),
        (["*"], "https", "hooks.example.com", "93.184.215.14", False),
    ],
)
def test_the_api_key_goes_to_listed_hosts_and_never_in_clear_text_over_a_network(
    tmp_path: Path, hosts: list[str], scheme: str, host: str, address: str, given: bool
) -> None:
    path = tmp_path / "key"
    path.write_text("key")
    keys = WebhookKeys(None, path, hosts, Metrics().key_file_damaged)
    assert keys.api_key(Target(scheme, host, 443, (address,), "/")) == ("key" if given else None)


def test_every_address_has_to_be_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("key")
    keys = WebhookKeys(None, path, ["localhost"], Metrics().key_file_damaged)
    assert keys.api_key(Target("http", "localhost", 80, ("127.0.0.1", "10.0.0.1"), "/")) is None
