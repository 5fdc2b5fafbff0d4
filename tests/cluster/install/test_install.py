"""From `helm install` to media: the documented commands, the platform's own example tasks, over REST and by kubectl."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.fixtures.installed import NAMESPACE, Receiver, Release
from cluster.fixtures.installed.commands import ROOT
from cluster.fixtures.installed.notes import FirstTask, Report, joined
from cluster.fixtures.installed.release import (
    API_GONE,
    INSTALL,
    QUICK_START,
    RESTRICTED,
    ROLLBACK,
    UNINSTALL,
    UPGRADE,
    task,
)
from mediatask_client import Client
from mediatask_client.demo.script import make_inputs, requests
from support.mcpclient import agent
from support.mode import until

Object = dict[str, Any]

# How each type's media begins, and where.
MAGIC = {
    "generate_video": (4, b"ftyp"),
    "generate_image": (0, b"\xff\xd8\xff"),
    "process_audio": (0, b"ID3"),
    "test_prompt": (0, b"{"),
}
LIGHT = ("generate_video", "process_audio", "test_prompt")
SMALL = {"duration": 2, "width": 320, "height": 184}


@pytest.fixture(scope="module")
def client(release: Release) -> Iterator[Client]:
    with release.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def bodies(receiver: Receiver) -> dict[str, Object]:
    """The four requests of the platform's quickstart by type, with inputs that exist."""
    for path, (content_type, content) in make_inputs().items():
        receiver.serve(path.removeprefix("/"), content_type, content)
    asked = requests(f"{receiver.url}/files", receiver.webhook_url)
    return {body["task_type"]: body for body in asked}


def is_of(kind: str, content: bytes) -> bool:
    """Whether these bytes are media of a type's."""
    offset, magic = MAGIC[kind]
    return content[offset:].startswith(magic)


def check_media(release: Release, kind: str, link: str, sha256: str) -> None:
    """The link gives what was published, and it is of the kind."""
    answer = release.fetch(link)
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).hexdigest() == sha256
    assert is_of(kind, answer.content)


def _with_data(body: Object, **data: Any) -> Object:
    return {**body, "task_data": {**body["task_data"], **data}}


def ended(client: Client, id_: str, seconds: float = 120) -> Any:
    """The task, once it has ended well."""
    return client.wait(id_, timeout=seconds).raise_for_status()


def test_the_notes_lead_to_a_finished_task(first_task: FirstTask, release: Release, report: Report) -> None:
    assert first_task.answer["status"] == "completed", first_task.answer
    report(f"helm install to the first finished task: {first_task.seconds:.1f} s (goal: 60 s)")


def test_all_that_the_notes_print_works(first_task: FirstTask, release: Release) -> None:
    done = [release.commands.shell("\n".join([*first_task.notes.export, command])) for command in first_task.notes.rest]

    assert any("completed" in text.lower() for text in done), done
    assert any("Phase:          Succeeded" in text for text in done), "helm test"
    assert release.webhook_secret in "".join(done)


def test_the_document_has_the_commands_that_are_run_here(first_task: FirstTask) -> None:
    document = joined((ROOT / "docs/install.md").read_text())
    notes = first_task.notes
    first_steps = [notes.wait, *(f"{command} &" for command in notes.stay), *notes.export, notes.submit]
    later = [UPGRADE.replace(QUICK_START, "values.yaml"), ROLLBACK, UNINSTALL, API_GONE]

    assert [command for command in (INSTALL, *first_steps, *later) if command not in document] == []


def test_the_namespace_is_restricted_and_all_pods_are(release: Release) -> None:
    labels = release.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels.items() >= RESTRICTED.items()
    for component in ("operator", "api", "redis", "s3"):
        assert release.pods(component)


@pytest.mark.timeout(240)
def test_the_quickstarts_tasks(release: Release, receiver: Receiver, client: Client, bodies: dict[str, Object]) -> None:
    """Over REST through the Service and by `kubectl apply`, side by side."""
    kinds = {client.submit(**bodies[kind]).task_id: kind for kind in LIGHT}
    by_hand = {f"by-hand-{kind.replace('_', '-')}": kind for kind in LIGHT}
    small = bodies | {"generate_video": _with_data(bodies["generate_video"], **SMALL)}
    release.commands.apply(*(task(name, small[kind]) for name, kind in by_hand.items()))

    for id_, kind in kinds.items():
        (media, *_) = ended(client, id_).artifacts()
        check_media(release, kind, media.url, media.sha256)
    for name, kind in by_hand.items():
        release.kubectl("wait", f"mediatask/{name}", "--for=condition=Complete", "--timeout=120s", seconds=125)
        (media, *_) = ended(client, name).artifacts()
        check_media(release, kind, media.url, media.sha256)

    kinds |= by_hand
    until(lambda: receiver.ids().keys() >= kinds.keys(), 30)
    for id_, kind in kinds.items():
        (told,) = receiver.verified(id_, release.webhook_secret)
        assert told["type"] == "task.completed"
        assert is_of(kind, release.fetch(told["result"]["media_url"]).content)


async def test_an_agent_submits_and_awaits_a_task(release: Release) -> None:
    """With the official MCP client, through the Service."""
    arguments = {"project_id": "agents", "task_data": {"text": "I have been expecting you, detective."}}
    async with agent(f"{release.api_url}/mcp", {"X-API-Key": release.api_key}) as mcp:
        submitted = await mcp.call_tool("process_audio", arguments)
        named = {"task_id": submitted.structured_content["task_id"]}
        done = await mcp.call_tool("wait_for_task", named)
        while done.structured_content["status"] in ("queued", "processing"):
            done = await mcp.call_tool("wait_for_task", named)
    assert done.structured_content["status"] == "completed"
    [media] = done.structured_content["result"]["artifacts"]
    await asyncio.to_thread(check_media, release, "process_audio", media["url"], media["sha256"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_image_with_torch_draws(
    release: Release, receiver: Receiver, client: Client, bodies: dict[str, Object], torch_image: str, report: Report
) -> None:
    """A picture, on a GPU as the scheduler sees it, and a film for which no storyboard is given."""
    release.commands.shell(f"{UPGRADE} -f charts/mediatask/ci/torch-values.yaml --set classes.demo-image.gpu.count=1")
    until(lambda: torch_image in release.kubectl("get", "mediataskclasses", "--output=yaml"))
    began = time.monotonic()
    scene = {"scene_description": "A detective in the rain at night", **SMALL}
    film = task("a-film", {"project_id": "torch", "task_type": "generate_video", "task_data": scene})
    picture = client.submit(**bodies["generate_image"]).task_id
    release.commands.apply(film)

    for id_, kind in {picture: "generate_image", "a-film": "generate_video"}.items():
        (media, *_) = ended(client, id_, 300).artifacts()
        check_media(release, kind, media.url, media.sha256)
        (pod,) = release.job_pods(id_)
        container = pod["spec"]["containers"][0]
        assert container["image"] == torch_image
        assert container["resources"]["limits"].get("nvidia.com/gpu") == ("1" if id_ == picture else None)
    report(f"a picture and a film from the image with torch: {time.monotonic() - began:.0f} s")


def test_a_task_in_a_namespace_of_its_own(release: Release, receiver: Receiver, bodies: dict[str, Object]) -> None:
    """The release serves the whole cluster: who has a namespace needs nothing else."""
    name, namespace = "elsewhere", "studio"
    theirs = task(name, bodies["test_prompt"], namespace)
    labelled = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": RESTRICTED}}
    release.commands.apply(labelled, theirs)

    release.commands.kubectl(
        "wait", f"--namespace={namespace}", f"mt/{name}", "--for=condition=Complete", "--timeout=60s"
    )
    result = release.commands.get("mt", name, f"--namespace={namespace}")["status"]["result"]
    until(lambda: name in receiver.ids(), 30)
    (told,) = receiver.verified(name, release.webhook_secret)
    check_media(release, "test_prompt", told["result"]["media_url"], result["artifacts"][0]["sha256"])


def test_a_links_signature_is_needed_and_covers_the_object(release: Release, client: Client) -> None:
    (media, *_) = ended(client, client.submit("links", "test_prompt", {"prompt_template": "hello"}).task_id).artifacts()

    assert release.fetch(media.url).status_code == 200
    assert release.fetch(media.url.partition("?")[0]).status_code == 403
    assert release.fetch(media.url.replace("/links/", "/other/")).status_code == 403


def test_kubectl_shows_a_jobs_log(release: Release, client: Client) -> None:
    id_ = ended(client, client.submit("logs", "test_prompt", {"prompt_template": "hello"}).task_id).task_id
    (pod,) = release.job_pods(id_)

    assert "published as" in release.kubectl("logs", pod["metadata"]["name"])
