"""The platform's two workflows with an Auto-Movie app that follows its documents to the letter."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediatask_common.times import rfc3339, utcnow
from mediatask_local.apiserver.access.certificates import Authority
from mediatask_local.up import UpInfo, embedded
from support.auto_movie import PATH, AutoMovieApp, node_handler
from support.mode import until

KEY = "shared-api-key"


@dataclass(frozen=True)
class Platform:
    """The app, and the task service that has its address from the platform's variables."""

    app: AutoMovieApp
    info: UpInfo

    def call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = httpx.request(
            method,
            f"{self.info.api_url}/api/v1{path}",
            headers={"X-API-Key": self.info.api_key},
            timeout=30,
            **request,
        )
        body: dict[str, Any] = answer.raise_for_status().json()
        return body

    def submit(self, **body: Any) -> str:
        submitted = self.call("POST", "/tasks/submit", json=body)
        assert submitted["status"] == "queued"
        task: str = submitted["task_id"]
        return task

    def message(self, task: str) -> dict[str, Any]:
        """The webhook that the app has got of a task."""
        first: dict[str, Any] = until(lambda: self.app.messages.get(task))[0]
        return first


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("app")
    authority = Authority("tests", timedelta(days=1))
    certificate, key = authority.server("auto-movie", ["localhost"], ["127.0.0.1"])
    for name, content in (
        ("ca", authority.certificate),
        ("cert", certificate),
        ("key", key),
        ("api-key", KEY.encode()),
    ):
        (folder / name).write_bytes(content)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "cert", folder / "key")
    app = AutoMovieApp(KEY, tls)
    with app.open():
        pass  # it has a port from now on
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REDIS_URL", "MEDIATASK_REDIS_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("SSL_CERT_FILE", str(folder / "ca"))
        patch.setenv("AUTO_MOVIE_APP_URL", f"https://localhost:{app.port}")
        patch.setenv("WEBHOOK_BASE_URL", f"https://localhost:{app.port}/api/webhooks")
        patch.setenv("MEDIATASK_WEBHOOK_API_KEY_FILE", str(folder / "api-key"))
        patch.setenv("MEDIATASK_WEBHOOK_API_KEY_HOSTS", '["localhost"]')
        with embedded(tmp_path_factory.mktemp("up") / "state") as info:
            yield Platform(app, info)


def prompt_test(url: str, result: str) -> dict[str, Any]:
    """What the app's Test Studio submits."""
    return {
        "project_id": "test_project",
        "task_type": "test_prompt",
        "task_data": {
            "prompt_id": "prompt-3",
            "prompt_template": "Describe {{name}}.",
            "agent_type": "character_creator",
            "test_parameters": {"name": "the detective"},
            "test_result_id": result,
        },
        "callback_url": url,
        "metadata": {"userId": "user-1", "testResultId": result},
    }


def test_a_prompt_test_ends_in_the_apps_test_results(platform: Platform) -> None:
    with platform.app.open():
        task = platform.submit(**prompt_test(platform.app.url, "result-1"))
        message = platform.message(task)
    assert {*message} == {"task_id", "status", "project_id", "result", "error", "metadata", "type", "timestamp"}
    assert (message["status"], message["project_id"], message["error"]) == ("completed", "test_project", None)
    assert message["metadata"] == {"userId": "user-1", "testResultId": "result-1"}
    assert {"media_url", "payload_media_id", "metadata"} <= message["result"].keys()
    assert {"processing_time", "tokens_used", "output_data"} <= message["result"]["metadata"].keys()
    stored = platform.app.test_results["result-1"]
    assert stored == {"status": "completed", "output": message["result"]["metadata"]["output_data"]}


def test_production_media_reaches_the_app_without_a_callback_in_the_task(platform: Platform) -> None:
    with platform.app.open():
        task = platform.submit(
            project_id="detective_series_001",
            task_type="process_audio",
            task_data={"text": "I have been expecting you, detective."},
            metadata={"dialogue_id": "scene_005_line_001"},
        )
        message = platform.message(task)
    assert (message["type"], message["status"]) == ("task.completed", "completed")
    assert message["metadata"] == {"dialogue_id": "scene_005_line_001"}
    media = httpx.get(message["result"]["media_url"])
    assert len(media.content) == message["result"]["metadata"]["file_size"]
    assert platform.app.refused == [], "each webhook had the API key, and the documented path"


def test_a_cancelled_test_is_one_in_the_app(platform: Platform) -> None:
    with platform.app.open():
        later = prompt_test(platform.app.url, "result-2") | {"not_before": rfc3339(utcnow() + timedelta(days=1))}
        task = platform.submit(**later)
        platform.call("DELETE", f"/tasks/{task}/cancel")
        message = platform.message(task)
    assert (message["type"], message["status"], message["result"]) == ("task.cancelled", "cancelled", None)
    assert platform.app.test_results["result-2"]["status"] == "cancelled"


def test_a_production_task_that_is_cancelled_while_it_runs_tells_the_app(platform: Platform) -> None:
    with platform.app.open():
        task = platform.submit(
            project_id="detective_series_001",
            task_type="generate_image",
            task_data={"character_description": "the detective", "width": 1024, "height": 1024, "steps": 100},
            metadata={"scene_id": "scene_005"},
        )
        until(lambda: platform.call("GET", f"/tasks/{task}/status")["status"] == "processing")
        platform.call("DELETE", f"/tasks/{task}/cancel")
        message = platform.message(task)
    assert (message["type"], message["status"], message["result"]) == ("task.cancelled", "cancelled", None)
    assert message["metadata"] == {"scene_id": "scene_005"}
    assert len(platform.app.messages[task]) == 1, "and nothing of it completes later"


def test_a_test_that_failed_tells_the_app_why(platform: Platform) -> None:
    unfillable = prompt_test(platform.app.url, "result-5")
    unfillable["task_data"] = unfillable["task_data"] | {"test_parameters": {}}
    with platform.app.open():
        task = platform.submit(**unfillable)
        message = platform.message(task)
    assert (message["type"], message["status"], message["result"]) == ("task.failed", "failed", None)
    assert message["error"] == platform.call("GET", f"/tasks/{task}/status")["error"]
    assert {*message["error"]} == {"code", "message", "retryable"}
    assert "name" in message["error"]["message"], "the placeholder without a value"
    assert message["error"]["retryable"] is False
    assert platform.app.test_results["result-5"] == {"status": "failed", "output": None}


def test_an_app_that_was_away_is_told_when_it_is_back(platform: Platform) -> None:
    task = platform.submit(**prompt_test(platform.app.url, "result-3"))
    tried = until(lambda: platform.call("GET", f"/tasks/{task}/webhook")["attempts"])
    assert tried >= 1
    assert task not in platform.app.messages
    with platform.app.open():
        platform.call("POST", f"/tasks/{task}/webhook/redeliver")
        assert platform.message(task)["status"] == "completed"
        assert platform.app.test_results["result-3"]["status"] == "completed"
        assert len(platform.app.ids[task]) == 1, "by which the app knows a repetition"


def test_the_app_is_among_the_services(platform: Platform) -> None:
    with platform.app.open():
        listed = {service["name"]: service for service in platform.call("GET", "/services")["services"]}
    assert listed["auto_movie"]["url"] == f"https://localhost:{platform.app.port}"


def test_the_documented_route_handler_takes_what_the_operator_sends(platform: Platform, tmp_path: Path) -> None:
    with node_handler(tmp_path, platform.info.webhook_secret) as handler:
        task = platform.submit(**prompt_test(handler.url, "result-4"))
        assert handler.url.endswith(PATH)
        taken = handler.next()
        assert taken["event"]["task_id"] == task
        assert taken["event"]["metadata"]["testResultId"] == "result-4"
        assert taken["id"]
