"""The cluster of a test session: the one of KUBECONFIG, else one of our own for as long as the session lasts."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from cluster.fixtures.installed.commands import PROGRAMS
from cluster.fixtures.kwok import Installation, Sandbox, install, open_sandbox
from cluster.fixtures.kwok.side_by_side import Outcomes, started
from cluster.harness import Cluster, ClusterError, Options, build
from cluster.harness.build import GO_MISSING, can_build, missing
from cluster.harness.cluster import TOOLS
from cluster.harness.node import requirements
from cluster.harness.provided import Provided
from cluster.harness.recipes import CLUSTER
from cluster.harness.recipes import TOOLS as RECIPES
from cluster.harness.wait import wait_for
from mediatask_common.kube import NAMESPACES, Kube, Resource
from support import required

SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
NEEDS_BINARIES = {"binaries", "cluster"}
NEEDS_REAL_BINARIES = {"real_binaries", "real_cluster"}

build_error = pytest.StashKey[ClusterError]()
failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A fixture may ask whether its test failed."""
    report = yield
    item.stash[failed] = item.stash.get(failed, False) or report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What kwok's nodes play comes first: it is quicker to fail. Then what really runs on one."""
    items.sort(key=lambda item: "real_cluster" in getattr(item, "fixturenames", ()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds before the first test: the first build takes minutes, and no test's time limit should count them."""
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    tools = [*(CLUSTER if NEEDS_BINARIES & fixtures else ())]
    if NEEDS_REAL_BINARIES & fixtures and requirements.unmet() is None:
        tools += [tool for tool in TOOLS["real"] if tool not in tools]
    if "installed" in fixtures:
        tools.append(RECIPES["helm"])
    if "commands" in fixtures:
        tools += [tool for tool in PROGRAMS if tool not in tools]
    todo = missing(tools)
    if not todo or session.config.option.collectonly or not can_build():
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        try:
            build(todo)
        except ClusterError as error:
            session.config.stash[build_error] = error


@pytest.fixture(scope="session")
def binaries(request: pytest.FixtureRequest) -> None:
    """The binaries of a cluster are there."""
    if (error := request.config.stash.get(build_error, None)) is not None:
        pytest.fail(str(error), pytrace=False)
    if missing():
        required.CLUSTER.unavailable(GO_MISSING)


@pytest.fixture(scope="session")
def real_binaries(request: pytest.FixtureRequest) -> None:
    """The binaries of a cluster with a real node are there, and one can run here."""
    if (error := request.config.stash.get(build_error, None)) is not None:
        pytest.fail(str(error), pytrace=False)
    if (reason := requirements.unmet()) is not None:
        required.CLUSTER.unavailable(reason)
    if missing(TOOLS["real"]):
        required.CLUSTER.unavailable(GO_MISSING)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provided]:
    """A ready cluster, with the administrator's rights. The logs of our own stay in pytest's temporary folder."""
    if given := os.environ.get("KUBECONFIG"):
        yield Provided(Path(given))
        return
    request.getfixturevalue("binaries")
    with Cluster(tmp_path_factory.mktemp("cluster"), Options(node="kwok", audit=True)) as own:
        yield Provided(own.kubeconfig, plays_stages=True, audit_log=own.audit_log)


@pytest.fixture(scope="session")
def real_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A ready cluster of our own whose node runs pods. Its logs, the pods' too, stay in pytest's temporary folder."""
    if "KUBECONFIG" in os.environ:
        pytest.skip("not on the cluster of KUBECONFIG: this test puts images on the node and kills parts of it")
    request.getfixturevalue("real_binaries")
    with Cluster(tmp_path_factory.mktemp("real-cluster"), Options(node="real", audit=True)) as own:
        yield own


@pytest.fixture(scope="session")
def kubeconfig(cluster: Provided) -> Path:
    """The administrator's kubeconfig."""
    return cluster.kubeconfig


@pytest.fixture(scope="session")
def stages(cluster: Provided) -> None:
    """Pods do what their annotations say."""
    if not cluster.plays_stages:
        pytest.skip("the pods of the cluster of KUBECONFIG are real: this test plays theirs")


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    """A client with the administrator's rights."""
    async with await Kube.connect(kubeconfig) as client:
        yield client


@pytest.fixture
async def namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace of the test's own, in which pods can be made."""
    name = f"test-{secrets.token_hex(4)}"
    await kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await wait_for(kube, SERVICE_ACCOUNTS, "default", lambda _: True, namespace=name)
    yield name
    await kube.delete(NAMESPACES, name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def installed(
    cluster: Provided, stages: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Operator and API as processes under the chart's accounts, for all namespaces; pods are held (`stages.yaml`)."""
    folder = tmp_path_factory.mktemp("installed")
    async with (
        await Kube.connect(cluster.kubeconfig) as admin,
        install(admin, cluster.kubeconfig, folder) as everything,
    ):
        yield everything


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest, kube: Kube, installed: Installation) -> AsyncIterator[Sandbox]:
    """A namespace of the test's own, with a class; a failed test's is told before it goes."""
    async with open_sandbox(kube, installed) as own:
        yield own
        if request.node.stash.get(failed, False):
            print(await own.report())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(
    request: pytest.FixtureRequest, kubeconfig: Path, installed: Installation
) -> AsyncIterator[Outcomes]:
    """What the module's tests that run side by side came to; started are those that were selected."""
    tests = [
        item.function
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and hasattr(item.function, "scenario")
    ]
    async with await Kube.connect(kubeconfig) as client, started(tests, client, installed) as running:
        yield running
