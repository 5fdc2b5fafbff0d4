"""The bundled Redis, started as its container starts it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from helm_python import Chart
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from mediatask_local.die_with_parent import die_with_parent
from support.redisserver import redis_program

CHART = Path(__file__).parents[3] / "charts" / "mediatask"


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    values = yaml.safe_load((CHART / "ci" / "local-values.yaml").read_text())
    with Chart.load(CHART) as chart:
        texts = chart.render(values, name="mediatask", namespace="media")
    manifests = [text for path, text in texts.items() if path.endswith(("quickstart/redis.yaml", "secrets.yaml"))]
    return [item for text in manifests for item in yaml.safe_load_all(text) if item]


@pytest.fixture
def running(objects: list[dict[str, Any]]) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """The process, its socket, and the password that the Secret holds."""
    [deployment] = [item for item in objects if item["kind"] == "Deployment"]
    [secret] = [
        item["stringData"] for item in objects if item["kind"] == "Secret" and "auth.conf" in item["stringData"]
    ]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        places = {mount["mountPath"]: Path(folder, mount["name"]) for mount in container["volumeMounts"]}
        for place in places.values():
            place.mkdir()
        [auth] = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "auth"]
        for item in auth["items"]:
            Path(folder, "auth", item["path"]).write_text(secret[item["key"]])
        words = container["command"][1:]
        for mounted, place in places.items():
            words = [word.replace(mounted, str(place)) for word in words]
        # Its own options, and no port: other tests run here, too.
        command = [redis_program(), *words, "--port", "0", "--unixsocket", f"{folder}/socket"]
        process = subprocess.Popen(die_with_parent(command), stdout=subprocess.DEVNULL)
        try:
            yield process, f"{folder}/socket", secret["password"]
        finally:
            process.terminate()
            process.wait(30)


def test_it_wants_the_password_and_shows_it_to_no_neighbour(running: tuple[subprocess.Popen[bytes], str, str]) -> None:
    process, socket, password = running
    patient = Retry(ConstantBackoff(0.1), 300, (ConnectionError, redis.ConnectionError))
    with redis.Redis(unix_socket_path=socket, password=password, retry=patient) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
    with redis.Redis(unix_socket_path=socket) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("key")
    for file in ("cmdline", "environ"):
        assert password.encode() not in Path(f"/proc/{process.pid}/{file}").read_bytes()
