"""The life of a task, as its user sees it."""

from __future__ import annotations

from cluster.installation import Ground, Seen


async def test_a_task_runs_to_completion(ground: Ground) -> None:
    await ground.task()
    await ground.until(lambda status: status.get("phase") == "processing")
    assert (await ground.shows(Seen("processing", "Running", ["open"], ["JobCreated"], jobs=1, pods=1)))["startedAt"]

    await ground.succeed()

    status = await ground.shows(
        Seen(
            "completed",
            "Completed",
            ["Succeeded exit 0"],
            ["JobCreated", "Completed"],
            jobs=1,
            pods=1,
            true={"Accepted", "JobCreated", "Complete", "CallbackDelivered"},
            webhooks=["task.completed"],
        )
    )
    assert status["progress"] == 1.0
    assert status["result"]["metadata"] == {"width": 64, "seed": 7}
    assert status["result"]["mediaUrl"].startswith(ground.installed.api_url)
    assert {"queued", "scheduled", "image", "infer", "total"} <= status["timings"].keys()
    assert status["attempts"][0]["node"].startswith("gpu-")
