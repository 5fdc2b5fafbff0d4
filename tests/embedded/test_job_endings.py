"""Every way a Job's process can end, and what a Job controller and a kubelet say about it."""

from __future__ import annotations

import json

import pytest

from mediatask_common.kube import JOBS, PODS, KubeError, Object
from support.jobrunner import is_alive
from support.jobs import Jobs, conditions, eventually, finished, running, terminated

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


async def test_success(jobs: Jobs) -> None:
    job, pod = await jobs.run("pass")
    true = conditions(job)
    assert list(true) == ["SuccessCriteriaMet", "Complete"]
    assert true["Complete"]["reason"] == "CompletionsReached"
    assert job["status"]["succeeded"] == 1
    assert "active" not in job["status"]
    assert job["status"]["completionTime"] >= job["status"]["startTime"]
    assert pod["status"]["phase"] == "Succeeded"
    assert terminated(pod)["exitCode"] == 0
    assert terminated(pod)["reason"] == "Completed"
    assert "finalizers" not in pod["metadata"]


async def test_the_pod_is_the_jobs(jobs: Jobs) -> None:
    job, pod = await jobs.run("pass")
    metadata = pod["metadata"]
    assert metadata["name"].startswith(job["metadata"]["name"] + "-")
    assert metadata["labels"]["batch.kubernetes.io/job-name"] == job["metadata"]["name"]
    assert metadata["labels"]["batch.kubernetes.io/controller-uid"] == job["metadata"]["uid"]
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Job", job["metadata"]["uid"], True)


@pytest.mark.parametrize("code", [1, 10, 75])
async def test_failure(jobs: Jobs, code: int) -> None:
    job, pod = await jobs.run(f"raise SystemExit({code})")
    true = conditions(job)
    assert list(true) == ["FailureTarget", "Failed"]
    assert true["Failed"]["reason"] == "BackoffLimitExceeded"
    assert job["status"]["failed"] == 1
    assert pod["status"]["phase"] == "Failed"
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (code, "Error")


async def test_a_killed_process_has_the_exit_code_of_a_container(jobs: Jobs) -> None:
    _, pod = await jobs.run("import os; os.kill(os.getpid(), 9)")
    assert terminated(pod)["exitCode"] == 137


async def test_termination_message_is_cut_at_4096_bytes(jobs: Jobs) -> None:
    write = "import os; open(os.environ['MEDIATASK_TERMINATION_LOG'], 'w').write('x' * 5000)"
    _, pod = await jobs.run(write)
    assert terminated(pod)["message"] == "x" * 4096


async def test_output_is_the_log(jobs: Jobs) -> None:
    _, pod = await jobs.run("import sys; print('out', flush=True); print('err', file=sys.stderr)")
    assert await jobs.log(pod) == "out\nerr\n"


async def test_nothing_outlives_the_main_process(jobs: Jobs) -> None:
    """A child in a session of its own is ended with the container, as a container's is."""
    code = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True); "
        "print(child.pid, flush=True)"
    )
    _, pod = await jobs.run(code)
    pid = int(await jobs.log(pod))
    assert not is_alive(pid)


async def test_too_much_memory(jobs: Jobs) -> None:
    code = "data = bytearray(400 * 1024**2); data[::4096] = b'x' * len(data[::4096]); import time; time.sleep(600)"
    job, pod = await jobs.run(code, resources={"limits": {"memory": "150Mi"}})
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (137, "OOMKilled")
    assert conditions(job)["Failed"]["reason"] == "BackoffLimitExceeded"


async def test_deadline(jobs: Jobs) -> None:
    job = await jobs.until(await jobs.create(SLEEP, spec={"activeDeadlineSeconds": 1}), finished)
    true = conditions(job)
    assert list(true) == ["FailureTarget", "Failed"]
    assert true["Failed"]["reason"] == "DeadlineExceeded"
    # The Job controller deletes what it stops, as on any cluster.
    assert await jobs.pods(job) == []


async def test_a_deleted_pod_gets_its_grace_period_and_then_dies(jobs: Jobs) -> None:
    job = await jobs.create(IGNORES_TERM)
    pod = await jobs.pod_until(job, running)
    await _says(jobs, pod, "up\n")
    await jobs.kube.delete(PODS, pod["metadata"]["name"], "default", grace_period_seconds=1)
    ended = await jobs.until(job, finished)
    assert ended["status"]["failed"] == 1
    await jobs.gone(PODS, pod["metadata"]["name"])


async def test_foreground_deletion_waits_for_the_process(jobs: Jobs) -> None:
    job = await jobs.create("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    pod = await jobs.pod_until(job, running)
    pid = int(await _says(jobs, pod))
    await jobs.kube.delete(JOBS, job["metadata"]["name"], "default", propagation="Foreground")
    await jobs.gone(JOBS, job["metadata"]["name"])
    assert not is_alive(pid)
    with pytest.raises(KubeError, match="404"):
        await jobs.kube.get(PODS, pod["metadata"]["name"], "default")


async def test_a_pod_deleted_by_force_is_killed_all_the_same(jobs: Jobs) -> None:
    job = await jobs.create(
        "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
    )
    pod = await jobs.pod_until(job, running)
    pid = int(await _says(jobs, pod))
    await jobs.kube.delete(PODS, pod["metadata"]["name"], "default", grace_period_seconds=0)

    async def alive() -> bool:
        return is_alive(pid)

    await eventually(alive, lambda seen: not seen)


async def test_fail_job_rule(jobs: Jobs) -> None:
    policy = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [10, 11]}}]}
    job, pod = await jobs.run("raise SystemExit(10)", spec={"podFailurePolicy": policy, "backoffLimit": 3})
    failed = conditions(job)["Failed"]
    assert failed["reason"] == "PodFailurePolicy"
    name = pod["metadata"]["name"]
    assert failed["message"].startswith(f"Container main for pod default/{name} failed with exit code 10 matching")


async def test_ignored_failures_are_replaced_and_cost_nothing(jobs: Jobs) -> None:
    policy = {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]}
    # The first pod leaves a mark in the shared model folder; the second one finds it.
    code = (
        "import os, pathlib; mark = pathlib.Path(os.environ['MARK'], 'ignored'); "
        "found = mark.exists(); mark.touch(); raise SystemExit(0 if found else 42)"
    )
    job = await jobs.create(
        code,
        spec={"podFailurePolicy": policy, "pod": {"volumes": [{"name": "m", "emptyDir": {}}]}},
        env=[{"name": "MARK", "value": "/models"}],
        volumeMounts=[{"name": "m", "mountPath": "/models"}],
    )
    ended = await jobs.until(job, finished)
    assert "Complete" in conditions(ended)
    assert "failed" not in ended["status"]
    assert len(await jobs.pods(job)) == 2


async def test_ttl(jobs: Jobs) -> None:
    job = await jobs.create("pass", spec={"ttlSecondsAfterFinished": 1})
    await jobs.gone(JOBS, job["metadata"]["name"])
    assert await eventually(lambda: jobs.pods(job), lambda pods: not pods) == []


async def test_suspended_jobs_have_no_pods(jobs: Jobs) -> None:
    job = await jobs.create("pass", spec={"suspend": True})
    await jobs.until(job, lambda seen: "Suspended" in conditions(seen))
    assert await jobs.pods(job) == []
    await jobs.kube.patch(JOBS, job["metadata"]["name"], {"spec": {"suspend": False}}, "default")
    ended = await jobs.until(job, finished)
    assert "Complete" in conditions(ended)


async def test_other_images_are_refused_with_the_next_step(jobs: Jobs) -> None:
    job = await jobs.create("pass", image="registry.example/media:1")

    def backs_off(pod: dict[str, object]) -> bool:
        return "ImagePullBackOff" in json.dumps(pod)

    pod = await jobs.pod_until(job, backs_off)
    assert pod["status"]["phase"] == "Pending"
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert 'runs only image "python"' in waiting["message"]
    await jobs.kube.delete(JOBS, job["metadata"]["name"], "default", propagation="Foreground")
    await jobs.gone(JOBS, job["metadata"]["name"])


async def test_a_program_that_is_not_there(jobs: Jobs) -> None:
    _, pod = await jobs.run("", command=["/no/such/program"])
    assert terminated(pod)["exitCode"] == 128
    assert terminated(pod)["reason"] == "StartError"
    assert "/no/such/program" in terminated(pod)["message"]


async def test_pods_inherit_no_secrets(jobs: Jobs) -> None:
    _, pod = await jobs.run("import json, os; print(json.dumps(dict(os.environ)))")
    names = set(json.loads(await jobs.log(pod)))
    allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TZ", "HOME", "HOSTNAME", "PYTHONUNBUFFERED"}
    assert names - allowed == {"CUDA_VISIBLE_DEVICES", "EMBEDDED_POD_UID", "MEDIATASK_TERMINATION_LOG"}


async def test_token_is_bound_to_the_pod(jobs: Jobs) -> None:
    token = {"serviceAccountToken": {"path": "token", "audience": "mediatask", "expirationSeconds": 600}}
    job = await jobs.create(
        "import os, time; print(open(os.environ['MEDIATASK_TOKEN_FILE']).read(), flush=True); time.sleep(600)",
        spec={"pod": {"volumes": [{"name": "token", "projected": {"sources": [token]}}]}},
        volumeMounts=[{"name": "token", "mountPath": "/var/run/secrets/mediatask"}],
    )
    pod = await jobs.pod_until(job, running)
    spec = {"token": (await _says(jobs, pod)).strip(), "audiences": ["mediatask"]}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    status = (await jobs.kube.request("POST", path, review))["status"]
    assert status["authenticated"]
    assert status["user"]["extra"]["authentication.kubernetes.io/pod-name"] == [pod["metadata"]["name"]]
    await jobs.kube.delete(JOBS, job["metadata"]["name"], "default", propagation="Foreground")
    await jobs.gone(JOBS, job["metadata"]["name"])
    # A real API server remembers its answers for ten seconds.
    await eventually(
        lambda: jobs.kube.request("POST", path, review), lambda seen: not seen["status"].get("authenticated")
    )


async def _says(jobs: Jobs, pod: Object, text: str | None = None) -> str:
    """The log, once there is a line (or exactly `text`) in it."""
    log = await eventually(lambda: jobs.log(pod), lambda seen: seen == text if text else seen.endswith("\n"))
    return str(log)
