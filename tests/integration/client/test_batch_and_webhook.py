"""Batches, webhooks and usage, by SDK and command line."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

from typer.testing import CliRunner, Result

from mediatask_client import Client, cli
from support.rest_service import KEY, Answer, Service

BATCH = "/api/v1/tasks/batch"
WEBHOOK = "/api/v1/tasks/task-1/webhook"
SUBMITTED = {"task_id": "task-1", "status": "queued", "project_id": "demo"}
TOLD = {
    "task_id": "task-1",
    "receiver": "https://h.example",
    "state": "delivered",
    "event": "task.completed",
    "tries": [
        {"number": 1, "at": "2026-11-21T10:00:00Z", "status_code": 500, "error": "the receiver answered 500"},
        {"number": 2, "at": "2026-11-21T10:00:05Z", "status_code": 204, "error": None},
    ],
}


def run(service: Service, *words: str, stdin: str | None = None) -> Result:
    env = {"MEDIATASK_URL": service.url, "MEDIATASK_API_KEY": KEY}
    return CliRunner().invoke(cli.app, list(words), input=stdin, env=env)


def refused(detail: str) -> dict[str, object]:
    return {"index": 1, "status": 400, "error": {"detail": detail}}


def test_a_batch_carries_keys_and_may_be_repeated(service: Service) -> None:
    results = [{"index": 0, "status": 202, "task": SUBMITTED}, refused("no such type")]
    service.on("POST", BATCH, Answer(drop=True), Answer(200, {"results": results}))
    with Client(service.url, KEY) as client:
        first, second = client.batch([{"project_id": "demo"}, {"idempotency_key": "k"}], atomic=True)
    assert first.task is not None
    assert (first.task.task_id, second.task, second.error) == ("task-1", None, {"detail": "no such type"})
    sent, repeated = (request.body for request in service.asked("POST", BATCH))
    assert sent == repeated, "the same keys"
    keys = [task["idempotency_key"] for task in sent["tasks"]]
    assert (sent["atomic"], len(keys[0]), keys[1]) == (True, 36, "k")


def test_batch_prints_the_ids_and_says_what_was_refused(service: Service) -> None:
    results = [{"index": 0, "status": 202, "task": SUBMITTED}, refused("bad\x1b[2J")]
    service.on("POST", BATCH, Answer(200, {"results": results}))
    requests = "- {task_type: test_prompt}\n- {task_type: x, project_id: own}\n"
    result = run(service, "batch", "-", "-p", "demo", stdin=requests)
    assert (result.exit_code, result.stdout) == (1, "task-1\n")
    assert "task 1 was refused with 400: bad\\x1b[2J" in result.stderr
    assert [task["project_id"] for task in service.requests[-1].body["tasks"]] == ["demo", "own"]


def test_a_long_batch_goes_in_parts_and_what_was_accepted_is_printed_though_a_part_fails(service: Service) -> None:
    accepted = [{"index": index, "status": 202, "task": SUBMITTED} for index in range(100)]
    service.on("POST", BATCH, Answer(200, {"results": accepted}), Answer(403, {"detail": "no"}))
    result = run(service, "batch", "-", stdin=json.dumps({"tasks": [{}] * 101}))
    assert (result.exit_code, result.stdout) == (1, "task-1\n" * 100)
    assert [len(request.body["tasks"]) for request in service.asked("POST", BATCH)] == [100, 1]


def test_faulty_batches_are_not_sent(service: Service) -> None:
    for wrong in ("{}", "[]", "- 1", "x: [", '{"tasks": 5}'):
        assert run(service, "batch", "-", stdin=wrong).exit_code == 2, wrong
    assert run(service, "batch", "-", "--atomic", stdin=json.dumps({"tasks": [{}] * 101})).exit_code == 2
    assert service.requests == []


def test_the_webhook_of_a_task(service: Service) -> None:
    service.on("GET", WEBHOOK, Answer(200, TOLD))
    service.on("POST", f"{WEBHOOK}/redeliver", Answer(202, {**TOLD, "state": "pending"}))
    with Client(service.url, KEY) as client:
        assert client.webhook("task-1").tries[0].status_code == 500
        assert client.redeliver_webhook("task-1").state == "pending"
    assert run(service, "webhook", "log", "task-1").stdout.splitlines() == [
        "delivered: task.completed to https://h.example",
        "   1  2026-11-21 10:00:00 UTC  500 the receiver answered 500",
        "   2  2026-11-21 10:00:05 UTC  204",
    ]
    assert run(service, "webhook", "redeliver", "task-1").stdout.startswith("pending: task.completed")
    assert json.loads(run(service, "webhook", "log", "task-1", "-o", "json").stdout) == TOLD


def test_usage(service: Service) -> None:
    answer = {
        "project_id": "film",
        "from": "2026-11-01",
        "to": "2026-11-30",
        "group_by": "class",
        "items": [{"class": "sound", "tasks": 12, "gpu_seconds": 1234.5, "cost": None, "costs": []}],
        "total": {
            "tasks": 12,
            "gpu_seconds": 1234.5,
            "cost": None,
            "costs": [{"amount": "2345.678901", "currency": "EUR"}, {"amount": "7", "currency": "JPY"}],
        },
    }
    service.on("GET", "/api/v1/projects/film/usage", Answer(200, answer))
    with Client(service.url, KEY) as client:
        assert client.usage("film", first=date(2026, 11, 1), group_by="class").items[0].group == "sound"
    assert service.requests[-1].query == {"group_by": "class", "from": "2026-11-01"}
    words = ("usage", "-p", "film", "--by", "class")
    assert [line.split() for line in run(service, *words).stdout.splitlines()] == [
        ["CLASS", "TASKS", "GPU", "SECONDS", "COST"],
        ["sound", "12", "1,234.5", "-"],
        ["total", "12", "1,234.5", "2,345.68", "EUR", "+", "7.00", "JPY"],
    ]
    assert json.loads(run(service, *words, "--to", "2026-11-30", "-o", "json").stdout) == answer
    assert service.requests[-1].query["to"] == "2026-11-30"
    assert run(service, "usage", "--from", "soon").exit_code == 2


def test_budgets(service: Service) -> None:
    budget = {
        "period": "month", "limit": "1500", "currency": "EUR", "when_exceeded": "wait", "spent": "1412.5",
        "reserved": "1.25", "left": "86.25", "state": "warning", "renews_at": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    answer = {"project_id": "film", "budgets": [budget]}
    service.on("GET", "/api/v1/projects/film/budgets", Answer(200, answer))
    with Client(service.url, KEY) as client:
        assert client.budgets("film").budgets[0].left == Decimal("86.25")
    words = ("usage", "-p", "film", "--budgets")
    assert run(service, *words).stdout.splitlines()[1].split() == [
        "month", "1,500.00", "EUR", "1,412.50", "1.25", "86.25", "warning", "2026-12-01", "00:00", "UTC",
    ]  # fmt: skip
    assert json.loads(run(service, *words, "-o", "json").stdout) == answer
    assert run(service, *words, "--records").exit_code == 2


def test_estimate(service: Service) -> None:
    answer = {
        "estimated_duration": 12,
        "queue_position": 3,
        "cost": {"amount": "0.0123", "currency": "EUR", "gpu_seconds": 12.5},
    }
    service.on("POST", "/api/v1/tasks/estimate", Answer(503, {}), Answer(200, answer))
    with Client(service.url, KEY) as client:
        found = client.estimate("film", "test_prompt", {"prompt_template": "x"}, priority=1)
    assert found.cost is not None
    assert (found.cost.amount, found.queue_position) == (Decimal("0.0123"), 3)
    asked = {"project_id": "film", "task_type": "test_prompt", "task_data": {"prompt_template": "x"}}
    assert service.requests[-1].body == {**asked, "priority": 1}
    schema = {"type": "object", "properties": {"prompt_template": {"type": "string"}}}
    service.on("GET", "/api/v1/task-types/test_prompt", Answer(200, {"name": "test_prompt", "schema": schema}))
    words = ("estimate", "test_prompt", "x", "-p", "film")
    assert run(service, *words).stdout == "0.012300 EUR, 12 s, place 3 in the queue\n"
    assert service.requests[-1].body == asked
    assert json.loads(run(service, *words, "-o", "json").stdout) == answer
    service.on("POST", "/api/v1/tasks/estimate", Answer(200, {**answer, "cost": None}))
    assert run(service, *words).stdout.startswith("no price, ")


def record(task_id: str, **more: object) -> dict[str, object]:
    return {
        "task_id": task_id, "task_type": "test_prompt", "class": "prompts", "status": "completed",
        "completed_at": "2026-11-20T23:59:59Z", "attempts": 1, "gpu_seconds": 1.5, "cpu_seconds": 0.0,
        "amount": "0.25", "currency": "EUR", **more,
    }  # fmt: skip


def test_cost_records_of_all_answers_as_json_csv_and_table(service: Service) -> None:
    first = {"records": [record("a")], "next_cursor": "here"}
    last = {"records": [record("b", task_type="=cmd()", amount=None, currency=None)], "next_cursor": None}
    path = "/api/v1/projects/film/usage/records"
    service.on("GET", path, Answer(200, first), Answer(200, last))
    words = ("usage", "-p", "film", "--records", "--from", "2026-11-01")
    told = json.loads(run(service, *words, "-o", "json").stdout)
    assert told == first["records"] + last["records"]  # type: ignore[operator]
    assert [request.query for request in service.asked("GET", path)] == [
        {"from": "2026-11-01"},
        {"from": "2026-11-01", "cursor": "here"},
    ]
    service.on("GET", path, Answer(200, first), Answer(200, last))
    assert run(service, *words, "-o", "csv").stdout.splitlines() == [
        "task_id,task_type,class,status,completed_at,attempts,gpu_seconds,cpu_seconds,amount,currency",
        "a,test_prompt,prompts,completed,2026-11-20T23:59:59Z,1,1.5,0.0,0.25,EUR",
        "b,'=cmd(),prompts,completed,2026-11-20T23:59:59Z,1,1.5,0.0,,",
    ]
    service.on("GET", path, Answer(200, first), Answer(200, last))
    assert "0.250000 EUR  a" in run(service, *words).stdout
    assert run(service, "usage", "-o", "csv").exit_code == 2
