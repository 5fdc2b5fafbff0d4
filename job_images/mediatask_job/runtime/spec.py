"""What the pod is to do: its environment, read and checked once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mediatask_crds import podcontract
from mediatask_crds.podcontract import JobSpec
from mediatask_crds.tasktypes import TaskData, UnknownTaskType, task_type

from ..failures import InvalidInput


@dataclass(frozen=True)
class Environment:
    """The job's surroundings."""

    api: str
    """Base URL of the internal routes, without `/internal/v1`."""
    token_file: Path
    work: Path
    """A folder of this pod's own for inputs and results."""
    model_cache: Path


def termination_log(env: Mapping[str, str] = os.environ) -> Path:
    """Where the termination message goes."""
    return Path(env.get(podcontract.ENV_TERMINATION_LOG, podcontract.TERMINATION_LOG))


def read_environment(env: Mapping[str, str] = os.environ) -> Environment:
    """The surroundings.

    Raises:
        InvalidInput: the API's address is missing.
    """
    return Environment(
        api=_required(env, podcontract.ENV_API).rstrip("/"),
        token_file=Path(env.get(podcontract.ENV_TOKEN_FILE, f"{podcontract.TOKEN_DIR}/token")),
        work=Path(env.get(podcontract.ENV_WORK, "/work")),
        model_cache=Path(env.get(podcontract.ENV_MODEL_CACHE, "/models")),
    )


def read_spec(env: Mapping[str, str] = os.environ) -> JobSpec:
    """What the operator wants done.

    Raises:
        InvalidInput: missing or not valid; the message names the fields.
    """
    try:
        return JobSpec.model_validate_json(_required(env, podcontract.ENV_SPEC))
    except ValidationError as error:
        raise InvalidInput("InvalidTask", _sentences(error)) from error


def parse_data(kind: str, data: dict[str, Any]) -> TaskData:
    """The task's data as its type's model.

    Raises:
        InvalidInput: no such type, or not valid; the message names the fields.
    """
    try:
        return task_type(kind).model_validate(data)
    except UnknownTaskType as error:
        raise InvalidInput("UnknownTaskType", str(error)) from error
    except ValidationError as error:
        raise InvalidInput("InvalidTask", _sentences(error)) from error


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise InvalidInput("InvalidEnvironment", f"{name} is not set; a Job's pod gets it from the operator")
    return value


def _sentences(error: ValidationError) -> str:
    """What is wrong where, without echoing the input: it may be long."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or error.title}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
