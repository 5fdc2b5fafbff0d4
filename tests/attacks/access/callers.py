"""Who calls: by every kind of credential, with and without the right to."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from integration.api.conftest import World
from mediatask_api.auth.principal import Principal
from mediatask_api.http.errors import ApiError
from mediatask_common.access.keys import new_key, new_secret
from mediatask_common.access.roles import ROLES, SCOPES, of_scopes
from mediatask_common.kube import Object
from mediatask_common.times import utcnow
from support.front import until
from support.issuer import Issuer


@dataclass(frozen=True)
class Caller:
    """Somebody with credentials."""

    name: str
    headers: dict[str, str]
    principal: Principal | None = None
    """What the credentials stand for; None for those that are not valid."""
    task_id: str = ""
    """The one that a pod works on, as far as its reports count."""


@dataclass
class Callers:
    """Makes them."""

    world: World
    provider: Issuer
    project: str
    """Theirs."""
    keys: dict[frozenset[str], Caller] = field(default_factory=dict)
    """By scopes."""

    async def key(self, name: str, *projects: str, **about: Any) -> tuple[str, Caller]:
        """The id of a new API key that the API knows, and who has it."""
        key_id = f"caller-{secrets.token_hex(4)}"
        secret, stored = new_key(projects or (self.project,), **about)
        await self.world.keys.create(key_id, stored)
        if stored.expires_at is None or stored.expires_at > utcnow():
            await self._becomes(secret, known=True)
        principal = Principal(f"key:{key_id}", frozenset(stored.projects), stored.grant)
        return key_id, Caller(name, {"X-API-Key": secret}, principal)

    async def with_scopes(self, *scopes: str) -> Caller:
        """A key of the project with these scopes."""
        wanted = frozenset(scopes)
        if wanted not in self.keys:
            name = f"only {', '.join(scopes)}" if len(scopes) == 1 else "all scopes but one"
            _, self.keys[wanted] = await self.key(name, scopes=sorted(scopes))
        return self.keys[wanted]

    async def beside(self, scope: str) -> list[Caller]:
        """Who has nothing but this scope, and who has all others."""
        return [await self.with_scopes(scope), await self.with_scopes(*(SCOPES.keys() - {scope}))]

    async def strangers(self) -> list[Caller]:
        """Those whose credentials are not valid."""
        world = self.world
        revoked_id, revoked = await self.key("a revoked key", role="producer")
        await world.keys.revoke(revoked_id)
        await self._becomes(revoked.headers["X-API-Key"], known=False)
        _, expired = await self.key("an expired key", role="producer", expires_at=utcnow() - timedelta(minutes=1))
        pod = await world.pod("x")
        return [
            Caller("nobody", {}),
            Caller("a wrong key", {"X-API-Key": new_secret()}),
            Caller("no key at all", {"X-API-Key": "x"}),
            Caller(revoked.name, revoked.headers),
            Caller(expired.name, expired.headers),
            Caller("an expired token", _bearer(self.provider.token(role="producer", projects=["*"], exp=1))),
            Caller("a token signed by nobody", _bearer(f"{self.provider.token().rpartition('.')[0]}.AAAA")),
            Caller("a pod's token", _bearer(await world.token(pod))),
        ]

    async def known(self, elsewhere: str) -> list[Caller]:
        """Those whose credentials are valid: each role, each kind, few projects and all."""
        writer = (await self.key("writer by key", role="writer"))[1]
        found = [
            writer,
            (await self.key("producer of another project", elsewhere, role="producer"))[1],
            (await self.key("producer of all projects", "*", role="producer"))[1],
        ]
        for role, grant in ROLES.items():
            token = self.provider.token(sub=role, role=role, projects=[self.project])
            found.append(
                Caller(f"{role} by JWT", _bearer(token), Principal(f"jwt:{role}", frozenset({self.project}), grant))
            )
        for name, claims in (("JWT without projects", {"projects": None}), ("JWT without a role", {"role": None})):
            projects = frozenset() if "projects" in claims else frozenset({self.project})
            grant = of_scopes(()) if "role" in claims else ROLES["producer"]
            token = self.provider.token(**{"sub": "odd", "role": "producer", "projects": [self.project], **claims})
            found.append(Caller(name, _bearer(token), Principal("jwt:odd", projects, grant)))
        return found

    async def service_account(self) -> Caller:
        """That of the namespace, which is listed as a writer of the project."""
        token = await self.world.token(await self.world.pod("x"), audience="mediatask-api")
        account = f"system:serviceaccount:{self.world.namespace}:default"
        return Caller(
            "service account, writer", _bearer(token), Principal(account, frozenset({self.project}), ROLES["writer"])
        )

    async def pods(self, tasks: dict[str, Object], other: str) -> list[Caller]:
        """Pods: that of the running task, one of a task that ended, and one of another project."""
        running = tasks["processing"]["metadata"]["name"]
        pod = await self.world.pod(running, project=self.project)
        ended = await self.world.pod(tasks["completed"]["metadata"]["name"], project=self.project)
        foreign = await self.world.pod(str(secrets.token_hex(8)), project=other)
        return [
            Caller("the task's pod", _bearer(await self.world.token(pod)), task_id=running),
            Caller("the pod of a task that ended", _bearer(await self.world.token(ended))),
            Caller("a pod of another project", _bearer(await self.world.token(foreign))),
        ]

    async def _becomes(self, secret: str, *, known: bool) -> None:
        async def so() -> bool:
            try:
                return (self.world.services.keys.find(secret, utcnow()) is not None) == known
            except ApiError:
                return not known

        wait: Callable[[], Awaitable[bool]] = so
        await until(wait)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
