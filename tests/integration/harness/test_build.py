"""What is built, when, and what a failure says; the Go toolchain is played by a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.harness import ClusterError, build
from cluster.harness.build import missing
from cluster.harness.recipes import CLUSTER, EXTRAS, Tool

# Writes its arguments into the file that the real one would make, or fails when the package is called `broken`.
FAKE_GO = """#!/bin/sh
echo "$@" >> "$FAKE_GO_CALLS"
verb=$1
for last; do :; done
case $last in *broken*) echo "broken.go:1: no such thing" >&2; exit 1;; esac
if [ "$verb" = install ]; then name=${last##*/}; out=$GOBIN/${name%@*}; else out=$3; fi
echo "$@" > "$out"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one line for each call of `go`, which is the only thing on PATH beside the shell's own."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "go").write_text(FAKE_GO)
    (programs / "go").chmod(0o755)
    log = tmp_path / "calls"
    log.touch()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_GO_CALLS", str(log))
    return log


@pytest.fixture
def pinned(tmp_path: Path) -> Tool:
    """A tool whose versions a module folder pins."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module one\n")
    (module / "go.sum").write_text("")
    return Tool("pinned", "example.com/pinned", module)


PLAIN = Tool("plain", "example.com/cmd/plain@v1.0.0")


def test_each_binary_is_built_once(tmp_path: Path, calls: Path, pinned: Tool) -> None:
    folder, lines = tmp_path / "bin", list[str]()
    for _ in range(2):
        build([pinned, PLAIN], folder=folder, report=lines.append)

    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["build", "install"]
    assert (folder / "pinned").is_file()
    assert (folder / "plain").is_file()
    assert lines[0] == "building pinned (1 of 2)"
    assert missing([pinned, PLAIN], folder) == []


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_a_changed_pin_of_the_module_builds_again(tmp_path: Path, calls: Path, pinned: Tool, file: str) -> None:
    folder = build([pinned], folder=tmp_path / "bin", report=lambda _: None)
    assert pinned.module is not None
    (pinned.module / file).write_text("something newer\n")

    assert missing([pinned], folder) == [pinned]
    build([pinned], folder=folder, report=lambda _: None)
    assert len(calls.read_text().splitlines()) == 2


def test_another_version_builds_again(tmp_path: Path, calls: Path) -> None:
    folder = build([PLAIN], folder=tmp_path / "bin", report=lambda _: None)
    newer = Tool("plain", "example.com/cmd/plain@v1.0.1")
    build([newer], folder=folder, report=lambda _: None)
    assert (folder / "plain").read_text().split()[-1] == newer.package


def test_a_binary_of_unknown_origin_is_built_again(tmp_path: Path, calls: Path) -> None:
    (tmp_path / "plain").write_text("from somewhere")
    assert missing([PLAIN], tmp_path) == [PLAIN]


def test_a_failed_build_leaves_what_was_there_and_says_what_go_said(tmp_path: Path, calls: Path) -> None:
    (tmp_path / "plain").write_text("the one before")
    broken = Tool("plain", "example.com/broken/plain@v2.0.0")
    with pytest.raises(ClusterError, match=r"building plain failed \(all of it: .*\):\nbroken.go:1: no such thing"):
        build([broken], folder=tmp_path, report=lambda _: None)
    assert (tmp_path / "plain").read_text() == "the one before"
    assert not list(tmp_path.glob(".plain-*"))


def test_without_go_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="install Go"):
        build([PLAIN], folder=tmp_path, report=lambda _: None)


def test_binaries_that_are_there_need_no_go(
    tmp_path: Path, calls: Path, pinned: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build([pinned], folder=tmp_path / "bin", report=lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build([pinned], folder=folder) == folder


@pytest.mark.parametrize("tool", [*CLUSTER, *EXTRAS], ids=lambda tool: tool.name)
def test_every_recipe_is_pinned(tool: Tool) -> None:
    assert (tool.module is not None) != ("@v" in tool.package)
    assert len(tool.fingerprint()) == 64


def test_kubernetes_knows_its_own_version() -> None:
    [apiserver] = [tool for tool in CLUSTER if tool.name == "kube-apiserver"]
    assert "gitVersion=v1.36.3" in apiserver.ldflags
    assert "gitMinor=36" in apiserver.ldflags
