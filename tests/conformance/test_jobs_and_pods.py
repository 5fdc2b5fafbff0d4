"""Jobs and Pods: defaults, refusals, immutability and the graceful end of a pod on a node."""

from __future__ import annotations

from collections.abc import Callable

from conformance.client import STRATEGIC, Api
from conformance.samples import job, pod


async def test_job_defaults(api: Api, jobs: str, name: str) -> None:
    answer = await api.create(jobs, job(name))
    spec, uid = answer.body["spec"], answer.meta["uid"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (6, 1, 1)
    assert (spec["completionMode"], spec["podReplacementPolicy"]) == ("NonIndexed", "TerminatingOrFailed")
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = spec["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == name
    assert labels["batch.kubernetes.io/controller-uid"] == uid
    assert answer.meta["labels"] == labels


async def test_job_template_defaults(api: Api, jobs: str, name: str) -> None:
    spec = (await api.create(jobs, job(name))).body["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["securityContext"] == {}
    [container] = spec["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["terminationMessagePolicy"] == "File"
    assert container["resources"] == {}


async def test_limits_are_requests_too_once_there_is_a_pod(api: Api, jobs: str, pods: str, name: str) -> None:
    limits = {"limits": {"cpu": "1"}}
    body = job(name)
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = limits
    answer = await api.create(jobs, body)
    assert answer.body["spec"]["template"]["spec"]["containers"][0]["resources"] == limits
    container = {"name": "c", "image": "x:1", "resources": limits}
    answer = await api.create(pods, pod(name, schedulerName="nobody", containers=[container]))
    assert answer.body["spec"]["containers"][0]["resources"] == {**limits, "requests": {"cpu": "1"}}
    assert answer.body["status"]["qosClass"] == "Burstable"
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")


async def test_unknown_fields_of_a_job(api: Api, jobs: str, name: str) -> None:
    body = job(name)
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    answer = await api.post(jobs, body, fieldValidation="Strict")
    assert answer.status == 400
    unknown = 'unknown field "spec.template.spec.containers[0].imagee"'
    assert f'Job in version "v1" cannot be handled as a Job: strict decoding error: {unknown}' in answer.message
    answer = await api.create(jobs, body)
    assert "imagee" in answer.headers["warning"]
    assert "imagee" not in answer.body["spec"]["template"]["spec"]["containers"][0]


async def test_wrong_types_in_a_job(api: Api, jobs: str, name: str) -> None:
    answer = await api.post(jobs, job(name, backoffLimit="many"))
    assert answer.status == 400
    assert "json: cannot unmarshal string into Go struct field" in answer.message
    assert "spec.backoffLimit of type int32" in answer.message


async def test_own_labels_of_a_job_stay(api: Api, jobs: str, name: str) -> None:
    answer = await api.create(jobs, job(name, {"labels": {"own": "x"}}))
    assert answer.meta["labels"] == {"own": "x"}


async def test_a_job_without_restart_policy_is_422(api: Api, jobs: str, name: str) -> None:
    body = job(name)
    del body["spec"]["template"]["spec"]["restartPolicy"]
    answer = await api.post(jobs, body)
    assert answer.status == 422
    assert 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"' in answer.message


async def test_a_job_without_image_is_422(api: Api, jobs: str, name: str) -> None:
    body = job(name)
    del body["spec"]["template"]["spec"]["containers"][0]["image"]
    answer = await api.post(jobs, body)
    assert answer.status == 422
    assert "spec.template.spec.containers[0].image: Required value" in answer.message


async def test_a_job_name_must_fit_a_label(api: Api, jobs: str) -> None:
    answer = await api.post(jobs, job("j" * 64))
    assert answer.status == 422
    assert "must be no more than 63" in answer.message


async def test_a_job_template_is_immutable(api: Api, jobs: str, name: str) -> None:
    await api.create(jobs, job(name))
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "y:1"}]}}}}
    answer = await api.patch(f"{jobs}/{name}", change, STRATEGIC)
    assert answer.status == 422
    assert "spec.template.spec: Invalid value" in answer.message
    assert "field is immutable" in answer.message


async def test_a_suspended_job_may_still_move_to_other_nodes(api: Api, jobs: str, name: str) -> None:
    await api.create(jobs, job(name))
    change = {"spec": {"template": {"spec": {"nodeSelector": {"gpu": "a"}}}}}
    answer = await api.patch(f"{jobs}/{name}", change, STRATEGIC)
    assert answer.status == 200
    assert answer.body["spec"]["template"]["spec"]["nodeSelector"] == {"gpu": "a"}


async def test_a_strategic_patch_merges_containers_by_name(api: Api, pods: str, name: str) -> None:
    await api.create(pods, pod(name))
    change = {"spec": {"containers": [{"name": "c", "image": "y:2"}]}}
    answer = await api.patch(f"{pods}/{name}", change, STRATEGIC)
    assert answer.status == 200
    [container] = answer.body["spec"]["containers"]
    assert container["image"] == "y:2"
    assert container["terminationMessagePolicy"] == "File"
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")


async def test_a_job_can_be_resumed(api: Api, jobs: str, name: str) -> None:
    await api.create(jobs, job(name, backoffLimit=0))
    answer = await api.patch(f"{jobs}/{name}", {"metadata": {"annotations": {"a": "b"}}})
    assert answer.status == 200


async def test_apply_to_a_job_that_was_created_otherwise(api: Api, jobs: str, name: str) -> None:
    """What the server filled in is nobody's to take away."""
    body = job(name)
    await api.create(jobs, body, fieldManager="maker")
    answer = await api.apply(f"{jobs}/{name}", body, "maker")
    assert answer.status == 200
    before = answer.body["spec"]
    del body["spec"]["suspend"]
    answer = await api.apply(f"{jobs}/{name}", body, "maker")
    assert answer.status == 200
    assert {**answer.body["spec"], "suspend": before["suspend"]} == before


async def test_a_job_of_parallel_workers_has_no_completions(api: Api, jobs: str, name: str) -> None:
    answer = await api.create(jobs, job(name, parallelism=3))
    assert "completions" not in answer.body["spec"]


async def test_job_status_patch(api: Api, jobs: str, name: str) -> None:
    await api.create(jobs, job(name))
    answer = await api.patch(f"{jobs}/{name}/status", {"status": {"active": 0, "ready": 0}})
    assert answer.status == 200
    assert answer.meta["generation"] == 1


async def test_a_job_completes_by_its_criterion_first(api: Api, jobs: str, name: str) -> None:
    await api.create(jobs, job(name))
    time = "2026-01-01T00:00:00Z"
    complete = {"type": "Complete", "status": "True", "lastTransitionTime": time, "lastProbeTime": time}
    status = {"conditions": [complete], "startTime": time, "completionTime": time, "succeeded": 1}
    answer = await api.patch(f"{jobs}/{name}/status", {"status": status})
    assert answer.status == 422
    assert "cannot set Complete=True condition without the SuccessCriteriaMet=true condition" in answer.message


async def test_pod_defaults(api: Api, pods: str, name: str) -> None:
    answer = await api.create(pods, pod(name))
    assert answer.body["status"]["phase"] == "Pending"
    assert answer.body["status"]["qosClass"] == "BestEffort"
    assert answer.body["spec"]["serviceAccountName"] == "default"
    assert answer.body["spec"]["restartPolicy"] == "Always"
    assert (await api.get(f"{pods}/{name}")).status == 200
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")


async def test_a_pod_needs_its_service_account(api: Api, pods: str, name: str) -> None:
    answer = await api.post(pods, pod(name, serviceAccountName="nobody"))
    assert answer.status == 403
    assert 'serviceaccount "nobody" not found' in answer.message


async def test_pod_specs_are_immutable(api: Api, pods: str, name: str) -> None:
    await api.create(pods, pod(name))
    answer = await api.patch(f"{pods}/{name}", {"spec": {"hostname": "other"}})
    assert answer.status == 422
    assert "spec: Forbidden: pod updates may not change fields other than" in answer.message
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")


async def test_a_pod_on_a_node_ends_gracefully(api: Api, pods: str, name: str) -> None:
    await api.create(pods, pod(name, nodeName="no-such-node", terminationGracePeriodSeconds=17))
    answer = await api.delete(f"{pods}/{name}")
    assert answer.meta["deletionGracePeriodSeconds"] == 17
    assert answer.meta["deletionTimestamp"]
    assert (await api.get(f"{pods}/{name}")).status == 200
    answer = await api.delete(f"{pods}/{name}", {"gracePeriodSeconds": 5})
    assert answer.meta["deletionGracePeriodSeconds"] == 5
    assert (await api.delete(f"{pods}/{name}", {"gracePeriodSeconds": 0})).status == 200
    assert (await api.get(f"{pods}/{name}")).status == 404


async def test_binding_puts_a_pod_on_a_node(api: Api, pods: str, name: str) -> None:
    await api.create(pods, pod(name, schedulerName="nobody"))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": "no-such-node"}}
    answer = await api.post(f"{pods}/{name}/binding", binding)
    assert (answer.status, answer.body["status"]) == (201, "Success")
    bound = await api.get(f"{pods}/{name}")
    assert bound.body["spec"]["nodeName"] == "no-such-node"
    assert {c["type"]: c["status"] for c in bound.body["status"]["conditions"]}["PodScheduled"] == "True"
    assert (await api.post(f"{pods}/{name}/binding", binding)).status == 409
    await api.delete(f"{pods}/{name}", gracePeriodSeconds="0")


async def test_pods_that_run_nowhere_or_no_more_go_at_once(api: Api, pods: str, unique: Callable[[], str]) -> None:
    waiting, ended = unique(), unique()
    # A scheduler that does not exist keeps the pod off every node.
    await api.create(pods, pod(waiting, schedulerName="nobody"))
    await api.delete(f"{pods}/{waiting}")
    assert (await api.get(f"{pods}/{waiting}")).status == 404
    await api.create(pods, pod(ended, nodeName="no-such-node"))
    await api.patch(f"{pods}/{ended}/status", {"status": {"phase": "Succeeded"}})
    await api.delete(f"{pods}/{ended}")
    assert (await api.get(f"{pods}/{ended}")).status == 404
