"""The archives of `make images`: what the images say of themselves, what is in them, and that it works from there.

No node is needed: the files are unpacked and run with the image as their root, under the account of the pods.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import tarfile
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import pytest

from cluster.images.archive import Archive
from cluster.images.build import OUT
from cluster.images.buildah import pip_settings
from cluster.images.commands import NEEDS_ROOT
from mediatask_operator.acting.job import USER
from support.required import CLUSTER

OURS = ("mediatask", "mediatask-job-light", "mediatask-job")
# 5.5 GB take minutes to read, so what is in the large one is looked at when all tests run.
READ = ("mediatask", "mediatask-job-light", "redis", "s3", pytest.param("mediatask-job", marks=pytest.mark.slow))
LIMITS_MB = {"mediatask": 250, "mediatask-job-light": 400, "mediatask-job": 7000, "redis": 150, "s3": 200}
WRITTEN_BY_BUILDS = ("etc/", "home/", "opt/", "root/", "run/", "tmp/", "var/")

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
SPEAK_AND_FILM = """
import pathlib, sys
import av, PIL.features
from mediatask_job.sound.delivery import deliver, emotion, pace
from mediatask_job.sound.speech import speak
from mediatask_job.runners import find_runner
how = deliver("en", emotion("mysterious"), pace("normal"), None)
spoken = speak("I have been expecting you.", how, pathlib.Path("/tmp"), lambda: None)
for codec in ("libx264", "aac", "libmp3lame"):
    av.codec.Codec(codec, "w")
assert PIL.features.check("webp")
for task_type in ("process_audio", "test_prompt", "generate_video"):
    find_runner(task_type)
assert "torch" not in sys.modules
"""


def opened(name: str) -> Archive:
    """The archive of an image; without it the test is skipped, or failed where a skip would be a lie."""
    archive = OUT / f"{name}.tar"
    if not archive.exists():
        reason = f"{archive} is missing: run `make images`"
        if name == "mediatask-job":  # too large to be asked of everyone, CI included
            pytest.skip(reason)
        CLUSTER.unavailable(reason)
    return Archive(archive)


@dataclass
class Contents:
    """What the layers of an image hold together."""

    bytes: int = 0
    paths: set[str] = field(default_factory=set)
    times: Counter[float] = field(default_factory=Counter)
    stale_bytecode: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    """Files that name a host of this machine's package index."""


@pytest.fixture(scope="module")
def contents() -> dict[str, Contents]:
    """Contents by image, filled as they are asked for: reading takes seconds."""
    return {}


@pytest.fixture
def read(contents: dict[str, Contents], name: str) -> Contents:
    if name not in contents:
        contents[name] = looked_through(opened(name))
    return contents[name]


def looked_through(archive: Archive) -> Contents:
    found = Contents()
    hosts = re.compile(b"|".join(re.escape(host.encode()) for host in sorted(index_hosts())) or b"(?!)")
    for layer in archive.layers():
        for member in layer:
            found.bytes += member.size
            if member.size or not member.isfile():  # builds leave empty files where they mounted something
                found.paths.add(member.name.rstrip("/"))
            found.times[member.mtime] += 1
            if member.isfile() and member.name.startswith(WRITTEN_BY_BUILDS):
                note(found, member, cast("IO[bytes]", layer.extractfile(member)).read(1 << 20), hosts)
    return found


def note(found: Contents, member: tarfile.TarInfo, content: bytes, hosts: re.Pattern[bytes]) -> None:
    # PEP 552: bit 0 says that the bytecode is checked by hash and not by time, bit 1 whether it is checked at all.
    if member.name.endswith(".pyc") and int.from_bytes(content[4:8], "little") != 1:
        found.stale_bytecode.append(member.name)
    if hosts.search(content):
        found.mentions.append(member.name)


def index_hosts() -> set[str]:
    """Hosts of the package indexes that this machine is told to use; none where it takes pip's own."""
    urls = [value for key, value in pip_settings().items() if key in ("index-url", "extra-index-url", "trusted-host")]
    return {urllib.parse.urlsplit(url).hostname or url for value in urls for url in value.split()}


@pytest.mark.parametrize("name", OURS)
def test_an_image_says_what_it_is(name: str) -> None:
    archive = opened(name)
    assert archive.reference == f"localhost/{name}:dev"
    labels = archive.config["Labels"]
    assert labels["org.opencontainers.image.title"] in name
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == importlib.metadata.version("mediatask")
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", labels["org.opencontainers.image.revision"])


@pytest.mark.parametrize("name", [*OURS, "redis", "s3"])
def test_the_account_is_a_number_and_not_root(name: str) -> None:
    """The kubelet's `runAsNonRoot` cannot judge a name."""
    assert opened(name).config["User"] == f"{USER}:{USER}"


@pytest.mark.parametrize("name", ["mediatask-job-light", "mediatask-job"])
def test_a_job_is_what_a_job_image_runs(name: str) -> None:
    assert opened(name).config["Cmd"] == ["python", "-m", "mediatask_job"]
    assert "Entrypoint" not in opened(name).config


@pytest.mark.parametrize("name", READ)
def test_size(name: str, read: Contents) -> None:
    assert 10e6 < read.bytes < LIMITS_MB[name] * 1e6


@pytest.mark.parametrize("name", READ)
def test_the_machine_that_built_it_left_no_trace(name: str, read: Contents) -> None:
    traces = (
        r"etc/(hostname|resolv\.conf|pip\.conf|apt/sources\.list.*)|run/secrets/.+|root/.+/.+|src|dist|.*/\.git"
        r"|.*/(id_rsa|\.netrc|\.pypirc|credentials|pip\.conf|uv\.toml)|.*\.(key|p12|kubeconfig)"
    )
    assert [path for path in sorted(read.paths) if re.fullmatch(traces, path)] == []
    assert read.mentions == []
    assert not [entry for entry in opened(name).config["Env"] if re.search(r"pip|proxy|token|secret", entry, re.I)]


@pytest.mark.parametrize("name", READ)
def test_equal_inputs_give_equal_files(name: str, read: Contents) -> None:
    """No time of a build is kept, neither by files nor inside bytecode, which would be void on the next build."""
    assert set(read.times) == {0}
    assert read.stale_bytecode == []


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("mediatask", "torch|nvidia|av|mediatask_job|mediatask_local|pip|setuptools"),
        ("mediatask-job-light", "torch|nvidia|boto3|kubernetes|kopf|redis|mediatask_(operator|api|local|client)|pip"),
        pytest.param(
            "mediatask-job",
            "boto3|kubernetes|kopf|redis|mediatask_(operator|api|local|client)|pip",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_of_no_use_in_an_image_is_not_in_it(absent: str, read: Contents) -> None:
    pattern = rf"opt/.*/site-packages/({absent})|opt/mediatask/bin/pip.*"
    assert [path for path in sorted(read.paths) if re.fullmatch(pattern, path)] == []


class Unpacked:
    """An image's files in a folder, to run programs in."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        archive.unpack(folder)
        folder.chmod(0o755)
        self._folder = folder
        self._environment = archive.config["Env"]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as a pod would: its own root, the pods' account, no group, the image's environment."""
        account = f"--userspec={USER}:{USER}"
        return subprocess.run(
            ["chroot", account, "--groups=", str(self._folder), "env", "-i", *self._environment, "HOME=/tmp", *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Unpacked:
    if os.geteuid() != 0:
        pytest.skip(NEEDS_ROOT)
    archive = opened(request.param)
    return Unpacked(archive, tmp_path_factory.mktemp(request.param))


def succeeded(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 0, f"{shlex.join(answer.args)}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


@pytest.mark.parametrize("unpacked", ["mediatask"], indirect=True)
def test_operator_and_api_find_all_they_import(unpacked: Unpacked) -> None:
    packages = ("mediatask_crds", "mediatask_common", "mediatask_operator", "mediatask_api")
    succeeded(unpacked.run("python", "-c", IMPORT_ALL, *packages))
    assert "--wait" in succeeded(unpacked.run("mediatask", "submit", "--help"))
    for command in ("mediatask-operator", "mediatask-api"):
        assert succeeded(unpacked.run("sh", "-c", f"command -v {command}")).strip() == f"/opt/mediatask/bin/{command}"


@pytest.mark.parametrize("unpacked", ["mediatask"], indirect=True)
def test_the_s3_client_finds_its_service(unpacked: Unpacked) -> None:
    """AWS's other services are taken out of the image."""
    client = "import boto3; [boto3.client(name, region_name='auto') for name in ('s3', 'sts')]"
    succeeded(unpacked.run("python", "-c", client))


@pytest.mark.parametrize("unpacked", ["mediatask"], indirect=True)
def test_nothing_in_the_image_can_be_written_by_the_account(unpacked: Unpacked) -> None:
    places = unpacked.run("find", "/", "-path", "/dev", "-prune", "-o", "-writable", "-not", "-type", "l", "-print")
    assert {"/tmp"} <= set(places.stdout.split()) <= {"/tmp", "/var/tmp", "/run/lock"}


@pytest.mark.parametrize("unpacked", ["mediatask-job-light"], indirect=True)
def test_the_light_job_speaks_and_films(unpacked: Unpacked) -> None:
    succeeded(unpacked.run("python", "-c", SPEAK_AND_FILM))


@pytest.mark.parametrize("unpacked", ["mediatask-job-light"], indirect=True)
def test_a_job_without_a_spec_says_so(unpacked: Unpacked) -> None:
    answer = unpacked.run("env", "MEDIATASK_TERMINATION_LOG=/tmp/last-words", "python", "-m", "mediatask_job")
    assert answer.returncode != 0
    assert "MEDIATASK_SPEC" in answer.stdout


@pytest.mark.parametrize(
    ("unpacked", "command"), [("redis", "redis-server"), ("s3", "versitygw")], indirect=["unpacked"]
)
def test_the_servers_of_the_quick_start_start(unpacked: Unpacked, command: str) -> None:
    assert succeeded(unpacked.run(command, "--version"))
