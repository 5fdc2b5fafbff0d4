"""What an installation creates."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from helm_python import Chart
from helm_python.chart import lint
from pydantic_settings import BaseSettings

from mediatask_api.http.server import GRACE_SECONDS
from mediatask_api.settings import ApiSettings, JwtSettings
from mediatask_common.access.keys import PREFIX, ApiKey, digest
from mediatask_common.settings import StoreSettings
from mediatask_common.times import utcnow
from mediatask_crds.names import LABEL_TASK
from mediatask_crds.taskclass import MediaTaskClassSpec
from mediatask_operator.effects.keys import decode_secrets
from mediatask_operator.settings import BrainSettings, OperatorSettings, PayloadSettings

from .conftest import (
    CHART,
    PRODUCTION,
    QUICK_START,
    REPOSITORY,
    Object,
    Render,
    Values,
    env_of,
    find,
    merged,
    pod_specs,
)
from .podsecurity import violations

EVERYTHING = merged(
    QUICK_START, {"api": {"podDisruptionBudget": {"enabled": True}}, "rbac": {"namespaces": ["media", "b"]}}
)
ENVIRONMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "environments").iterdir())}
INSTALLATIONS = pytest.mark.parametrize(
    "values",
    [QUICK_START, PRODUCTION, EVERYTHING, *ENVIRONMENTS.values()],
    ids=["quick-start", "full", "everything", *ENVIRONMENTS],
)


def container(objects: list[Object], deployment: str) -> Object:
    found: Object = pod_specs(objects)[deployment]["containers"][0]
    return found


def references(value: object) -> Iterator[tuple[str, str | None]]:
    """Every Secret that is referred to, with its key where one is named."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "secretKeyRef":
                yield inner["name"], inner["key"]
            elif key == "secret" and isinstance(inner, dict):
                yield inner["secretName"], None
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@INSTALLATIONS
def test_every_object_is_strictly_valid(render: Render, values: Values) -> None:
    for item in render(values):
        kubernetes_validate.validate(item, "1.36", strict=True)


@INSTALLATIONS
def test_helm_lint_finds_nothing(values: Values) -> None:
    report = lint(CHART, values, strict=True)
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@INSTALLATIONS
def test_every_pod_meets_the_restricted_profile(render: Render, values: Values) -> None:
    for name, spec in pod_specs(render(values)).items():
        assert list(violations(spec)) == [], name


def test_the_profile_is_really_looked_at(render: Render) -> None:
    spec = pod_specs(render(QUICK_START))["mediatask-api"]
    spec["containers"][0]["securityContext"] = {"privileged": True}
    spec["securityContext"] = {}
    assert len(list(violations(spec))) == 6


@INSTALLATIONS
def test_only_the_two_services_speak_to_kubernetes(render: Render, values: Values) -> None:
    mounted = {name for name, spec in pod_specs(render(values)).items() if spec["automountServiceAccountToken"]}
    assert mounted == {"mediatask-api", "mediatask-operator"}


def test_operator_and_api_are_told_which_networks_are_denied(render: Render) -> None:
    objects = render({**QUICK_START, "denyNetworks": ["203.0.114.0/24"]})
    for deployment in ("mediatask-operator", "mediatask-api"):
        env = {item["name"]: item.get("value") for item in container(objects, deployment)["env"]}
        assert json.loads(env["MEDIATASK_DENY_NETWORKS"]) == ["203.0.114.0/24"]


def set_environment(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], folder: Path) -> None:
    """The container's variables, with a value in place of each Secret."""
    for name, value in env.items():
        monkeypatch.setenv(name, f"redis://{name}" if value.startswith("secret:") else value)


def variables(settings: type[BaseSettings]) -> set[str]:
    own = {f"MEDIATASK_{name.upper()}" for name in settings.model_fields}
    nested = {"STORE": StoreSettings, "JWT": JwtSettings, "PAYLOAD": PayloadSettings, "BRAIN": BrainSettings}
    return own | {f"MEDIATASK_{part}_{name.upper()}" for part, model in nested.items() for name in model.model_fields}


@INSTALLATIONS
@pytest.mark.parametrize(("deployment", "settings"), [("api", ApiSettings), ("operator", OperatorSettings)])
def test_the_services_understand_every_variable(
    render: Render,
    values: Values,
    deployment: str,
    settings: type[BaseSettings],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    env = env_of(container(render(values), f"mediatask-{deployment}"))
    assert env.keys() <= variables(settings)
    set_environment(monkeypatch, env, tmp_path)
    read = settings()
    assert read.store.kind == "s3"  # type: ignore[attr-defined]
    if isinstance(read, OperatorSettings) and "MEDIATASK_PAYLOAD_FIELDS" in env:
        assert read.payload.api_url == values["payload"]["apiUrl"]
        assert read.payload.api_key_file is not None
        assert read.payload.fields == {"alt": "{task_data.prompt}"}
        assert (read.payload.collection, read.payload.excluded_projects) == ("media", ["test_project"])
    if isinstance(read, ApiSettings) and "MEDIATASK_JWT_ISSUER" in env:
        assert read.jwt.issuer == "https://idp.example.com"
        assert read.service_accounts[0].projects == ["film"]


def test_the_operator_is_told_of_the_brain(render: Render, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        **ENVIRONMENTS["production"],
        "brain": {"existingSecret": "brain", "tokenKey": "key", "protocol": "rest", "excludedProjects": ["a"]},
    }
    env = env_of(container(render(values), "mediatask-operator"))
    set_environment(monkeypatch, env, tmp_path)
    read = OperatorSettings().brain
    assert (read.url, read.protocol, read.mcp_path) == ("https://brain.ft.tc", "rest", "/mcp")
    assert read.excluded_projects == ["a"]
    assert read.token is not None


@INSTALLATIONS
def test_files_that_the_services_read_are_mounted(render: Render, values: Values) -> None:
    objects = render(values)
    for deployment in ("mediatask-api", "mediatask-operator"):
        spec = pod_specs(objects)[deployment]
        mounts = [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
        files = {name: path for name, path in env_of(spec["containers"][0]).items() if name.endswith("_FILE")}
        assert bool(files) == (deployment == "mediatask-operator"), "the API follows its Secret"
        for name, path in files.items():
            assert str(Path(path).parent) in mounts, name


@INSTALLATIONS
def test_services_reach_their_pods(render: Render, values: Values) -> None:
    objects = render(values)
    templates = [item["spec"]["template"] for item in objects if item["kind"] == "Deployment"]
    for service in (item for item in objects if item["kind"] == "Service"):
        wanted = service["spec"]["selector"].items()
        chosen = [template for template in templates if wanted <= template["metadata"]["labels"].items()]
        assert len(chosen) == 1, service["metadata"]["name"]
        ports = {port["name"] for each in chosen[0]["spec"]["containers"] for port in each["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_job_pods_are_sent_to_the_internal_service(render: Render) -> None:
    objects = render(PRODUCTION)
    env = env_of(container(objects, "mediatask-operator"))
    assert env["MEDIATASK_JOB_API_URL"] == "http://mediatask-api-internal.media.svc:8002"
    assert find(objects, "Service", "mediatask-api-internal")["spec"]["ports"][0]["port"] == 8002


def test_job_pods_speak_for_an_account_that_is_there(render: Render) -> None:
    def name_of(objects: list[Object]) -> str:
        return env_of(container(objects, "mediatask-operator"))["MEDIATASK_JOB_SERVICE_ACCOUNT"]

    assert name_of(render(PRODUCTION)) == "default"
    served = ["media", "films"]
    values = {"serviceAccounts": {"job": {"create": True}}, "rbac": {"namespaces": served}}
    objects = render(merged(PRODUCTION, values))
    accounts = [
        item for item in objects if item["kind"] == "ServiceAccount" and item["metadata"]["name"] == name_of(objects)
    ]
    assert [account["metadata"]["namespace"] for account in accounts] == served
    assert not any(account["automountServiceAccountToken"] for account in accounts)


def test_the_api_hears_the_pods_of_just_the_namespaces_that_the_operator_serves(render: Render) -> None:
    for namespaces in ([], ["media", "films"]):
        objects = render(merged(PRODUCTION, {"rbac": {"namespaces": namespaces}}))
        lists = {
            env_of(container(objects, name))["MEDIATASK_NAMESPACES"] for name in ("mediatask-operator", "mediatask-api")
        }
        assert lists == {json.dumps(namespaces, separators=(",", ":"))}
        roles = [item for item in objects if item["kind"] == "Role" and item["metadata"]["name"].endswith("-reports")]
        assert [role["metadata"]["namespace"] for role in roles] == namespaces


# ---- the platform's environments


@pytest.mark.parametrize("name", ["development", "staging", "production"])
def test_each_environment_names_itself_and_its_neighbours(render: Render, name: str) -> None:
    objects = render(ENVIRONMENTS[name])
    env = env_of(container(objects, "mediatask-api"))
    assert env["MEDIATASK_ENVIRONMENT"] == name
    neighbours = ["AUTO_MOVIE_URL", "BRAIN_URL", "WEBHOOK_BASE_URL"]
    neighbours += [] if name == "development" else ["PROMETHEUS_URL", "GRAFANA_URL", "PAYLOAD_API_URL"]
    domain = {"development": ".internal", "staging": ".ngrok.pro", "production": ".ft.tc"}[name]
    assert [
        each for each in neighbours if not (urlsplit(env[f"MEDIATASK_{each}"]).hostname or "").endswith(domain)
    ] == []
    assert env["MEDIATASK_SYSTEM_HEALTH_PORT"] == "8100"
    assert find(objects, "Service", "mediatask-system-health")["spec"]["ports"][0]["port"] == 8100
    secrets = [item for item in objects if item["kind"] == "Secret"]
    assert bool(secrets) == (name == "development"), "generated ones are for development alone"


def test_the_system_health_api_is_served_only_where_it_is_asked_for(render: Render) -> None:
    objects = render(PRODUCTION)
    assert "MEDIATASK_SYSTEM_HEALTH_PORT" not in env_of(container(objects, "mediatask-api"))
    assert "system-health" not in allowed(objects, "api")
    assert not [item for item in objects if item["metadata"]["name"] == "mediatask-system-health"]
    asked = render(merged(PRODUCTION, {"systemHealth": {"enabled": True}}))
    assert allowed(asked, "api")["system-health"] is None, "everybody, as for callers"


# ---- who may connect


def allowed(objects: list[Object], component: str) -> dict[str, list[Object] | None]:
    """Peers that may connect to a component's pods, by port; None: everybody."""
    policy = find(objects, "NetworkPolicy", f"mediatask-{component}")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    selected = policy["podSelector"]["matchLabels"].items()
    template = find(objects, "Deployment", f"mediatask-{component}")["spec"]["template"]
    assert selected <= template["metadata"]["labels"].items()
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    rules = {port["port"]: rule.get("from") for rule in policy.get("ingress", []) for port in rule["ports"]}
    assert rules.keys() <= ports
    return rules


def job_labels() -> dict[str, str]:
    """Of a Job pod, as the operator makes it."""
    return {LABEL_TASK: "some-task"}


def chosen(peer: Object, labels: dict[str, str]) -> bool:
    selector = peer["podSelector"]
    same = selector.get("matchLabels", {}).items() <= labels.items()
    return same and all(rule["key"] in labels for rule in selector.get("matchExpressions", []))


def test_only_job_pods_reach_the_internal_port(render: Render) -> None:
    everywhere = allowed(render(merged(PRODUCTION, {"rbac": {"namespaces": []}})), "api")
    assert everywhere["http"] is None
    [peer] = everywhere["internal"] or []
    assert peer["namespaceSelector"] == {}
    assert chosen(peer, job_labels())
    for labels in pod_labels(render(QUICK_START)):
        assert not chosen(peer, labels)
    served = merged(PRODUCTION, {"rbac": {"namespaces": ["media", "films"]}})
    [peer] = allowed(render(served), "api")["internal"] or []
    [rule] = peer["namespaceSelector"]["matchExpressions"]
    assert (rule["key"], rule["operator"], rule["values"]) == (
        "kubernetes.io/metadata.name",
        "In",
        ["media", "films"],
    )
    assert chosen(peer, job_labels())


def pod_labels(objects: list[Object]) -> list[dict[str, str]]:
    return [item["spec"]["template"]["metadata"]["labels"] for item in objects if item["kind"] == "Deployment"]


def test_only_the_two_services_reach_the_bundled_redis(render: Render) -> None:
    objects = render(QUICK_START)
    rules = allowed(objects, "redis")
    assert rules.keys() == {"redis"}
    peers = rules["redis"] or []
    assert all(peer.keys() == {"podSelector"} for peer in peers), "of the release's namespace alone"
    reached = {
        labels["app.kubernetes.io/component"]
        for labels in pod_labels(objects)
        if any(chosen(peer, labels) for peer in peers)
    }
    assert reached == {"api", "operator"}
    assert not any(chosen(peer, job_labels()) for peer in peers)


def test_metrics_are_scraped_by_whom_the_values_name(render: Render) -> None:
    monitoring = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    for values, peers in (
        ({}, [{"namespaceSelector": {}}]),
        ({"networkPolicy": {"metricsFrom": monitoring}}, monitoring),
    ):
        objects = render(merged(PRODUCTION, values))
        assert [allowed(objects, component)["metrics"] for component in ("api", "operator")] == [peers, peers]
    nobody = render(merged(PRODUCTION, {"networkPolicy": {"metricsFrom": []}}))
    assert allowed(nobody, "api").keys() == {"http", "internal"}
    assert allowed(nobody, "operator") == {}


def test_policies_can_be_left_out(render: Render) -> None:
    objects = render(merged(QUICK_START, {"networkPolicy": {"enabled": False}}))
    assert not [item for item in objects if item["kind"] == "NetworkPolicy"]


def test_metrics_have_a_port_and_a_service_of_their_own(render: Render) -> None:
    annotations = {"prometheus.io/scrape": "true"}
    objects = render(merged(PRODUCTION, {"metrics": {"annotations": annotations}}))
    for component in ("api", "operator"):
        spec = container(objects, f"mediatask-{component}")
        ports = {port["name"]: port["containerPort"] for port in spec["ports"]}
        assert env_of(spec)["MEDIATASK_METRICS_PORT"] == str(ports["metrics"])
        service = find(objects, "Service", f"mediatask-{component}-metrics")
        assert service["spec"]["clusterIP"] == "None"
        assert service["metadata"]["annotations"] == annotations
        assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("metrics", ports["metrics"])]
    public = find(objects, "Service", "mediatask-api")["spec"]["ports"]
    assert [port["targetPort"] for port in public] == ["http"]


# ---- people


def test_editors_of_a_namespace_make_tasks_and_viewers_read_them(render: Render) -> None:
    objects = render(PRODUCTION)
    grants: dict[str, set[tuple[str, str]]] = {"view": set(), "edit": set(), "admin": set()}
    for item in objects:
        if item["kind"] == "ClusterRole":
            rights = {
                (verb, resource) for rule in item["rules"] for verb in rule["verbs"] for resource in rule["resources"]
            }
            for role, granted in grants.items():
                if item["metadata"]["labels"].get(f"rbac.authorization.k8s.io/aggregate-to-{role}") == "true":
                    granted |= rights
    read = {(verb, kind) for verb in ("get", "list", "watch") for kind in ("mediatasks", "mediataskclasses")}
    write = {(verb, "mediatasks") for verb in ("create", "update", "patch", "delete", "deletecollection")}
    assert grants == {"view": read, "edit": read | write, "admin": read | write}


@pytest.mark.parametrize("rbac", [{"aggregate": False}, {"create": False}])
def test_the_clusters_roles_can_be_left_alone(render: Render, rbac: Values) -> None:
    objects = render(merged(PRODUCTION, {"rbac": rbac}))
    assert "aggregate-to" not in json.dumps(objects)


# ---- secrets


def test_no_generated_secret_is_in_arguments_or_environment(render: Render) -> None:
    objects = render(QUICK_START)
    made = [text for item in objects if item["kind"] == "Secret" for text in item["stringData"].values()]
    pods = json.dumps(pod_specs(objects))
    assert not [text for text in made if text in pods]
    for name, spec in pod_specs(objects).items():
        for part in spec["containers"]:
            words = " ".join([*part["command"], *part.get("args", [])])
            assert "$(" not in words, f"{name}: what a variable holds would be an argument"


def test_production_makes_no_secret_and_takes_the_named_ones(render: Render) -> None:
    objects = render(PRODUCTION)
    assert [item for item in objects if item["kind"] == "Secret"] == []
    assert set(references(objects)) == {
        ("webhooks", None),
        ("payload", None),
        ("redis", "url"),
        ("s3-credentials", "access-key-id"),
        ("s3-credentials", "secret-access-key"),
    }


def test_of_all_secrets_the_api_may_read_and_change_the_one_with_its_keys(render: Render) -> None:
    for values, name in ((PRODUCTION, "api-keys"), (QUICK_START, "mediatask-api-keys")):
        objects = render(values)
        rules = [rule for item in objects for rule in item.get("rules") or [] if "secrets" in rule["resources"]]
        assert rules == [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get", "watch", "patch"]}
        ]
        env = env_of(pod_specs(objects)["mediatask-api"]["containers"][0])
        assert env["MEDIATASK_API_KEYS_SECRET"] == name


def test_what_the_quick_start_refers_to_is_made_with_it(render: Render) -> None:
    objects = render(QUICK_START)
    made = {item["metadata"]["name"]: item["stringData"] for item in objects if item["kind"] == "Secret"}
    for name, key in references(objects):
        assert name in made
        assert key is None or key in made[name]


def test_generated_keys_are_of_the_kind_that_the_services_take(render: Render) -> None:
    objects = render(QUICK_START)
    keys = find(objects, "Secret", "mediatask-api-keys")["stringData"]
    stored = ApiKey.model_validate_json(keys["generated.json"])
    assert keys["api-key"].startswith(PREFIX)
    assert stored.valid(digest(keys["api-key"]), utcnow())
    assert stored.role == "producer"
    secret = find(objects, "Secret", "mediatask-webhook")["stringData"]["secrets"]
    [decoded] = decode_secrets(secret)
    assert decoded == base64.b64decode(secret.removeprefix("whsec_"))
    assert len(decoded) == 32


# ---- classes and CRDs


def classes(objects: list[Object]) -> dict[str, MediaTaskClassSpec]:
    text = find(objects, "ConfigMap", "mediatask-classes")["data"]["classes.yaml"]
    documents = list(yaml.safe_load_all(text))
    return {item["metadata"]["name"]: MediaTaskClassSpec.model_validate(item["spec"]) for item in documents}


def test_classes_are_complete_with_the_job_image_and_the_pull_secrets(render: Render) -> None:
    own = {"taskTypes": ["test_prompt"], "image": "other:1", "imagePullSecrets": ["other"]}
    found = classes(render(merged(PRODUCTION, {"classes": {"own": own}})))
    assert found["image"].image == "registry.example.com/mediatask-job:0.1.0"
    assert found["image"].image_pull_policy == "IfNotPresent"
    assert found["image"].image_pull_secrets == ["registry"]
    assert (found["own"].image, found["own"].image_pull_policy) == ("other:1", None)
    assert found["own"].image_pull_secrets == ["other"]


def test_large_numbers_stay_whole(render: Render) -> None:
    # Helm reads numbers as floating point, and 1.1e+12 is no integer to the API server.
    large = {"classes": {"image": {"inputs": {"maxBytes": 2**40}, "deadlines": {"totalSeconds": 604_800}}}}
    text = find(render(merged(PRODUCTION, large)), "ConfigMap", "mediatask-classes")["data"]["classes.yaml"]
    assert "maxBytes: 1099511627776\n" in text
    assert "totalSeconds: 604800\n" in text


def test_the_quick_start_serves_every_type_that_its_image_can(render: Render) -> None:
    defaults = {kind for spec in classes(render(QUICK_START)).values() if spec.default for kind in spec.task_types}
    assert defaults == {"process_audio", "test_prompt", "generate_video"}


def test_with_the_torch_image_every_type_is_served_as_in_the_local_mode(render: Render) -> None:
    torch = yaml.safe_load((CHART / "ci" / "torch-values.yaml").read_text())
    found = classes(render(merged(QUICK_START, torch)))
    local = list(yaml.safe_load_all((REPOSITORY / "local/mediatask_local/classes.yaml").read_text()))
    assert found.keys() == {item["metadata"]["name"] for item in local}
    for item in local:
        same = MediaTaskClassSpec.model_validate(item["spec"])
        ours = found[item["metadata"]["name"]]
        assert (ours.task_types, ours.default, ours.model) == (same.task_types, same.default, same.model)


def test_other_classes_restart_the_operator_alone(render: Render) -> None:
    changed = merged(PRODUCTION, {"classes": {"image": {"maxInFlight": 5}}})
    before, after = render(PRODUCTION), render(changed)
    for name in ("mediatask-api", "mediatask-operator"):
        same = find(before, "Deployment", name) == find(after, "Deployment", name)
        assert same is (name == "mediatask-api")


def test_the_crds_are_those_of_the_repository(render: Render) -> None:
    for path in (REPOSITORY / "crds").glob("*.yaml"):
        source = yaml.safe_load(path.read_text())
        found = find(render(QUICK_START), "CustomResourceDefinition", source["metadata"]["name"])
        assert found["spec"] == source["spec"]
        assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert len(yaml.safe_dump(found)) < 256 * 1024


def test_crds_may_go_with_the_release_or_be_left_to_others(render: Render) -> None:
    kept = [
        item for item in render(merged(QUICK_START, {"crds": {"keep": False}})) if item["kind"].startswith("Custom")
    ]
    assert len(kept) == 2
    assert all("annotations" not in item["metadata"] for item in kept)
    others = render(merged(QUICK_START, {"crds": {"install": False}}))
    assert not [item for item in others if item["kind"].startswith("Custom")]


@pytest.mark.parametrize("keep", [True, False])
def test_the_account_of_running_jobs_stays_where_tasks_stay(render: Render, keep: bool) -> None:
    own = {"example.com/role": "media"}
    account = {"create": True, "annotations": own}
    values = {"crds": {"keep": keep}, "serviceAccounts": {"job": account}, "rbac": {"namespaces": ["media"]}}
    objects = render(merged(QUICK_START, values))
    policy = {"helm.sh/resource-policy": "keep"} if keep else {}
    assert find(objects, "ServiceAccount", "mediatask-job")["metadata"]["annotations"] == own | policy
    assert "annotations" not in find(objects, "ServiceAccount", "mediatask-api")["metadata"]


# ---- pods


def test_a_digest_takes_precedence_over_a_tag(render: Render) -> None:
    digest = f"sha256:{'a' * 64}"
    objects = render(merged(PRODUCTION, {"image": {"tag": "1.2", "digest": digest}}))
    assert container(objects, "mediatask-api")["image"] == f"registry.example.com/mediatask@{digest}"
    assert container(render(PRODUCTION), "mediatask-api")["image"] == "registry.example.com/mediatask:0.1.0"


def test_the_api_gets_the_limits_of_uploads_as_whole_numbers(render: Render) -> None:
    values = merged(PRODUCTION, {"api": {"uploads": {"quotaBytes": 5 * 1024**4, "usedDays": 7}}})
    env = env_of(pod_specs(render(values))["mediatask-api"]["containers"][0])
    limits = {name: value for name, value in env.items() if name.startswith("MEDIATASK_UPLOAD_")}
    assert limits == {
        "MEDIATASK_UPLOAD_QUOTA_BYTES": "5497558138880",
        "MEDIATASK_UPLOAD_QUOTA_COUNT": "1000",
        "MEDIATASK_UPLOAD_UNUSED_SECONDS": "86400",
        "MEDIATASK_UPLOAD_USED_DAYS": "7",
    }


def test_a_replica_has_time_to_drain_and_to_finish(render: Render) -> None:
    spec = pod_specs(render(merged(PRODUCTION, {"api": {"drainSeconds": 25}})))["mediatask-api"]
    assert env_of(spec["containers"][0])["MEDIATASK_DRAIN_SECONDS"] == "25"
    assert spec["terminationGracePeriodSeconds"] > 25 + GRACE_SECONDS


def test_an_upgrade_never_takes_a_replica_before_there_is_another(render: Render) -> None:
    objects = render(PRODUCTION)
    assert find(objects, "Deployment", "mediatask-api")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert find(objects, "Deployment", "mediatask-operator")["spec"]["strategy"] == {"type": "Recreate"}


def test_spread_constraints_get_the_selector_that_they_lack(render: Render) -> None:
    given = [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
        {
            "maxSkew": 1,
            "topologyKey": "host",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {}},
        },
    ]
    objects = render(merged(PRODUCTION, {"api": {"topologySpreadConstraints": given}}))
    first, second = pod_specs(objects)["mediatask-api"]["topologySpreadConstraints"]
    labels = find(objects, "Deployment", "mediatask-api")["spec"]["template"]["metadata"]["labels"]
    assert first["labelSelector"]["matchLabels"].items() <= labels.items()
    assert second["labelSelector"] == {"matchLabels": {}}


@pytest.mark.parametrize("component", ["api", "operator"])
def test_pods_go_where_they_are_told(render: Render, component: str) -> None:
    wanted = {
        "nodeSelector": {"pool": "services"},
        "tolerations": [{"key": "services", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    }
    more = {"extraEnv": [{"name": "A", "value": "b"}], "podLabels": {"l": "1"}, "podAnnotations": {"a": "2"}}
    objects = render(merged(PRODUCTION, {component: {**wanted, **more}}))
    template = find(objects, "Deployment", f"mediatask-{component}")["spec"]["template"]
    assert wanted.items() <= template["spec"].items()
    assert template["metadata"]["labels"]["l"] == "1"
    assert template["metadata"]["annotations"]["a"] == "2"
    assert env_of(template["spec"]["containers"][0])["A"] == "b"


# ---- what people read and run


def notes(chart: Chart, values: Values) -> str:
    texts = chart.render(values, name="mediatask", namespace="media")
    return next(text for path, text in texts.items() if path.endswith("NOTES.txt"))


def test_the_notes_say_how_to_get_the_key_and_the_address(chart: Chart) -> None:
    text = notes(chart, QUICK_START)
    assert "kubectl -n media port-forward svc/mediatask-api 8001" in text
    assert "kubectl -n media get secret mediatask-api-keys -o jsonpath='{.data.api-key}' | base64 -d" in text
    assert "helm -n media test mediatask" in text


def test_the_notes_warn_of_what_is_missing(chart: Chart) -> None:
    without = merged(PRODUCTION, {"webhooks": {"existingSecret": "", "apiKeyKey": ""}})
    assert "webhooks are not signed" in notes(chart, without)
    without["classes"] = {}
    assert "`classes` is empty" in notes(chart, without)
    assert "NOTE" not in notes(chart, PRODUCTION)


def test_the_helm_test_takes_the_generated_key_or_a_given_one(render: Render) -> None:
    assert "mediatask-test" not in pod_specs(render(PRODUCTION))
    given = render(merged(PRODUCTION, {"test": {"existingSecret": "tester", "apiKeyKey": "key"}}))
    for objects, secret in ((given, "secret:tester/key"), (render(QUICK_START), "secret:mediatask-api-keys/api-key")):
        assert env_of(pod_specs(objects)["mediatask-test"]["containers"][0])["MEDIATASK_API_KEY"] == secret


def test_what_is_spent_is_recorded_by_the_operator_and_read_by_the_api_and_only_where_budgets_are_set(
    render: Render,
) -> None:
    objects = render(merged(QUICK_START, {"budgets": {"configMap": "money"}}))
    maps = {"apiGroups": [""], "resources": ["configmaps"]}
    rights = {
        "mediatask-budgets": [
            {**maps, "resourceNames": ["money"], "verbs": ["get"]},
            {**maps, "resourceNames": ["money-spending"], "verbs": ["get", "patch"]},
            {**maps, "verbs": ["create"]},
        ],
        "mediatask-budgets-read": [{**maps, "resourceNames": ["money-spending"], "verbs": ["get"]}],
    }
    for (name, rules), account in zip(rights.items(), ("mediatask-operator", "mediatask-api"), strict=True):
        assert find(objects, "Role", name)["rules"] == rules
        assert [subject["name"] for subject in find(objects, "RoleBinding", name)["subjects"]] == [account]
    for deployment in ("mediatask-operator", "mediatask-api"):
        assert env_of(container(objects, deployment))["MEDIATASK_BUDGETS_CONFIG_MAP"].endswith("/money")
    assert "configmaps" not in str(render(QUICK_START))
