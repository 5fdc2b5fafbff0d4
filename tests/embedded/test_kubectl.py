"""kubectl against the local mode: what a person types, and what they read back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

MANIFEST = """
apiVersion: tasks.ft.tc/v1alpha1
kind: MediaTask
metadata:
  name: {name}
spec:
  projectId: kubectl_project
  taskType: {kind}
  taskData:
    prompt_template: "Say hello to {{{{name}}}}"
    test_parameters: {{name: Morgan}}
"""


class Kubectl:
    def __init__(self, kubeconfig: str, home: Path) -> None:
        self.kubeconfig, self.home = kubeconfig, home

    def run(self, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, f"--cache-dir={self.home}", *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def kubectl(embedded_mode, tmp_path: Path) -> Kubectl:  # type: ignore[no-untyped-def]
    return Kubectl(embedded_mode.kubeconfig, tmp_path)


def manifest(name: str, kind: str = "test_prompt") -> str:
    return MANIFEST.format(name=name, kind=kind)


def test_apply_wait_get_describe_delete(kubectl: Kubectl) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=manifest("hello"))
    assert "condition met" in kubectl("wait", "mt/hello", "--for=condition=Complete", "--timeout=90s")
    header, row = kubectl("get", "mt", "hello").splitlines()
    assert header.split() == ["NAME", "PROJECT", "TYPE", "PHASE", "PROGRESS", "ATTEMPT", "AGE"]
    assert row.split()[:6] == ["hello", "kubectl_project", "test_prompt", "completed", "1", "1"]
    header, row = kubectl("get", "mt", "hello", "-o", "wide").splitlines()
    assert row[header.index("NODE") :].split()[0] == "embedded"
    described = kubectl("describe", "mt", "hello")
    assert "Complete" in described
    assert "Events:" in described
    assert "JobCreated" in described
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=manifest("hello"))
    assert "hello" in kubectl("get", "mt", "--field-selector", "status.phase=completed,spec.projectId=kubectl_project")
    assert "deleted" in kubectl("delete", "mt", "hello", "--timeout=30s")
    assert "NotFound" in kubectl.run("get", "mt", "hello").stderr


def test_watch_shows_the_task_go_by(kubectl: Kubectl) -> None:
    watcher = subprocess.Popen(
        ["kubectl", "--kubeconfig", kubectl.kubeconfig, "get", "mt", "-w", "--output-watch-events", "-o", "json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        kubectl("apply", "-f", "-", stdin=manifest("watched"))
        kubectl("wait", "mt/watched", "--for=condition=Complete", "--timeout=90s")
        kubectl("delete", "mt", "watched")
        assert watcher.stdout is not None
        seen, decoder, buffer = [], json.JSONDecoder(), ""
        for line in watcher.stdout:
            buffer += line
            try:
                event, _ = decoder.raw_decode(buffer)
            except ValueError:
                continue
            buffer = ""
            task = event["object"]
            if task["metadata"]["name"] == "watched":
                seen.append((event["type"], (task.get("status") or {}).get("phase")))
            if seen and seen[-1][0] == "DELETED":
                break
    finally:
        watcher.kill()
        watcher.wait()
    assert seen[0][0] == "ADDED"
    phases = [phase for kind, phase in seen if phase]
    assert [*dict.fromkeys(phases)][-1] == "completed"
    assert phases == sorted(phases, key=["queued", "processing", "completed"].index), "never backwards"


def test_explain_tells_every_field(kubectl: Kubectl) -> None:
    text = kubectl("explain", "mt.spec.taskData")
    assert "scene_description" in text
    assert "generate_video" in text
    assert "0 is most urgent" in kubectl("explain", "mediatasks.spec.priority")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("taskType: test_prompt", "taskType: make_coffee"), 'supported values: "generate_image"'),
        (("    prompt_template:", "    prompt_tamplate:"), 'unknown field "spec.taskData.prompt_tamplate"'),
        (("  projectId: kubectl_project", "  projectId: ' no '"), "spec.projectId"),
        (("taskType: test_prompt", "taskType: process_audio"), "taskData.text is required for process_audio"),
        (
            ("    prompt_template:", "    fps: 24\n    prompt_template:"),
            "has a field that is not one of test_prompt; it takes:",
        ),
        (("  taskType: test_prompt", "  taskType: test_prompt\n  priority: 12"), "spec.priority"),
    ],
)
def test_a_bad_manifest_is_refused_readably(kubectl: Kubectl, change: tuple[str, str], complaint: str) -> None:
    done = kubectl.run("apply", "-f", "-", stdin=manifest("bad").replace(*change))
    assert done.returncode != 0
    assert complaint in done.stderr
    assert "NotFound" in kubectl.run("get", "mt", "bad").stderr


def test_the_request_is_immutable_and_says_what_to_do(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("fixed"))
    done = kubectl.run("patch", "mt", "fixed", "--type=merge", "-p", '{"spec":{"projectId":"other"}}')
    assert "projectId is immutable: create another task instead" in done.stderr
    kubectl("delete", "mt", "fixed")


def test_cancel_by_patch(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("unwanted").replace("  taskType:", "  cancel: true\n  taskType:"))
    kubectl("wait", "mt/unwanted", "--for=condition=Cancelled", "--timeout=60s")
    assert kubectl("get", "jobs", "-l", "tasks.ft.tc/task=unwanted", "-o", "name") == ""


def test_logs_of_a_finished_job(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("talkative"))
    kubectl("wait", "mt/talkative", "--for=condition=Complete", "--timeout=90s")
    assert kubectl("logs", "-l", "tasks.ft.tc/task=talkative", "--tail=-1").strip()
