"""The job's side of the API's internal routes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from mediatask_crds.podcontract import (
    ArtifactGrant,
    ArtifactRequest,
    InputGrant,
    InputRequest,
    PreviewReport,
    ProgressAnswer,
    ProgressReport,
    ResultAnswer,
    ResultReport,
    TaskDataAnswer,
)

from ..failures import Superseded, Temporary
from .retry import NotNow, patiently
from .signals import Stop

PATIENCE_SECONDS = 60.0
"""How long an API that is away is waited for: a rolling update takes less."""

_TIMEOUT = httpx.Timeout(10.0)
_UPLOAD_TIMEOUT = httpx.Timeout(10.0, write=120.0, read=120.0)

Answer = TypeVar("Answer", bound=BaseModel)
T = TypeVar("T")


class Refused(Temporary):
    """The API answered with a status that waiting does not change."""

    def __init__(self, route: str, status: int, text: str) -> None:
        super().__init__("ApiRefused", f"the API answered {status} to {route}: {text[:300]}")
        self.status = status


class KeyTaken(NotNow):
    """The artifact store has a file under this key, or may have one: the next try takes another."""


class GrantedInput(NamedTuple):
    """An input that the platform keeps."""

    url: str
    sha256: str | None
    """What its content has to be."""


class Api:
    """Calls for one task. Thread-safe: the threads of progress and previews share it.

    Every call but `progress`, `preview`, `grant_artifact` and `put` is repeated for `patience` seconds when the API
    cannot be reached, is overloaded or failing, and then ends the job with `Temporary`; a 409 ends it with
    `Superseded`.
    """

    def __init__(self, base: str, task: str, token_file: Path, stop: Stop, patience: float = PATIENCE_SECONDS) -> None:
        self._base = f"{base}/internal/v1/tasks/{task}"
        self._token_file = token_file
        self._stop = stop
        self._patience = patience
        # No proxies from the environment: these addresses are the cluster's own.
        self._http = httpx.Client(trust_env=False, timeout=_TIMEOUT, follow_redirects=False)

    def task_data(self) -> dict[str, Any]:
        """The task's data, for a spec that came without it."""
        return self.patiently(lambda: self._get("data", TaskDataAnswer), "reading the task's data").root

    def progress(self, report: ProgressReport) -> ProgressAnswer:
        """One try, because the next report says more. Raises NotNow, Superseded, or Refused."""
        # Without what is not said: an older API would refuse the name of it.
        return self._ask("POST", "progress", ProgressAnswer, report.model_dump_json(exclude_none=True).encode())

    def preview(self, report: PreviewReport) -> None:
        """One try. Raises NotNow, Superseded, or Refused by an API that knows no previews."""
        self._post("preview", report, ProgressAnswer)

    def grant_artifact(self, request: ArtifactRequest) -> ArtifactGrant:
        """Permission to store one file."""
        return self._post("artifacts", request, ArtifactGrant)

    def grant_input(self, attempt: int, reference: str) -> GrantedInput | None:
        """Where a reference can be read that only the platform can resolve; None when it cannot either."""
        request = InputRequest(attempt=attempt, refs=[reference])
        try:
            granted = self.patiently(lambda: self._post("inputs", request, InputGrant), "asking for an input")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        url = granted.urls.get(reference)
        return GrantedInput(url, granted.sha256.get(reference)) if url else None

    def publish(self, report: ResultReport) -> ResultAnswer:
        """Publish the result. Repeating it is harmless: the first report of a task wins."""
        return self.patiently(lambda: self._post("result", report, ResultAnswer), "publishing the result")

    def put(self, grant: ArtifactGrant, file: Path) -> None:
        """Upload a file, one try.

        Raises:
            KeyTaken: the store has something under this key, perhaps from a try whose answer was lost; or the
                connection broke before there was an answer.
            NotNow: the store is away, or the grant has expired.
        """
        try:
            with file.open("rb") as body:
                answer = self._http.request(
                    grant.method,
                    grant.url,
                    content=body,
                    # A length of its own, or httpx sends chunks, which S3 refuses.
                    headers={"Content-Length": str(file.stat().st_size)} | grant.headers,
                    timeout=_UPLOAD_TIMEOUT,
                )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotNow(f"{type(error).__name__}: {error}") from error
        except httpx.TransportError as error:
            # A store that finds the key taken may hang up before it has read all of the file, and its answer is lost
            # with the connection: the same key would be refused like that for ever.
            raise KeyTaken(f"no answer ({type(error).__name__}): {grant.key} may be taken") from error
        if answer.status_code == 412:
            raise KeyTaken(f"{grant.key} is taken")
        if not answer.is_success:
            raise NotNow(f"the artifact store answered {answer.status_code}", _retry_after(answer))

    def patiently(self, call: Callable[[], T], what: str) -> T:
        """`call` with this client's patience."""
        return patiently(call, what, self._stop, self._patience)

    def _post(self, route: str, body: BaseModel, kind: type[Answer]) -> Answer:
        return self._ask("POST", route, kind, body.model_dump_json().encode())

    def _get(self, route: str, kind: type[Answer]) -> Answer:
        return self._ask("GET", route, kind)

    def _ask(self, method: str, route: str, kind: type[Answer], body: bytes | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {self._token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._http.request(method, f"{self._base}/{route}", content=body, headers=headers)
        except httpx.TransportError as error:
            raise NotNow(f"{type(error).__name__}: {error}") from error
        status = answer.status_code
        if status == 409:
            raise Superseded(f"the API refused {route}: another attempt or pod has the task")
        # 401: the token in the file may just have been rotated. The next try reads it again.
        if status >= 500 or status in (401, 408, 425, 429):
            raise NotNow(f"the API answered {status} to {route}", _retry_after(answer))
        if status != 200:
            raise Refused(route, status, answer.text)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise Temporary("ApiAnswerUnreadable", f"the API's answer to {route} is not a {kind.__name__}") from error

    def _token(self) -> str:
        """Read for every call: the kubelet replaces the file long before the token expires."""
        try:
            return self._token_file.read_text().strip()
        except OSError as error:
            raise NotNow(f"no token: {error}") from error


def _retry_after(answer: httpx.Response) -> float:
    """Seconds of a Retry-After header; 0 without one or with a date."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0
