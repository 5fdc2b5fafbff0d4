"""Keys: make, list, rotate, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from ..auth.access import Caller, require
from ..auth.audit import note
from ..dependencies import Ctx
from ..http import BASE
from ..http.body import JsonBody
from ..http.openapi.document import problems
from ..http.route import Route
from .schemas import KeysAnswer, NewKeyAnswer, NewKeyRequest, RotationRequest
from .service import beyond_own_rights, key_exists, key_not_found, too_many_keys

router = APIRouter(prefix=f"{BASE}/keys", tags=["keys"], route_class=Route, dependencies=[require("keys:admin")])

KeyName = Annotated[str, Path(max_length=63)]
_UNCACHED = {"Cache-Control": "no-store"}


@router.post(
    "",
    operation_id="createKey",
    status_code=201,
    response_model=NewKeyAnswer,
    responses=problems(beyond_own_rights(), key_exists(), too_many_keys()),
)
async def create(
    request: Request,
    services: Ctx,
    caller: Caller,
    wanted: Annotated[NewKeyRequest, Depends(JsonBody(NewKeyRequest))],
) -> Response:
    """Make a key. The answer is the one place where its secret is told."""
    note(request, key=wanted.name)
    made = await services.key_service.create(caller, wanted)
    return Response(made.model_dump_json(), 201, media_type="application/json", headers=_UNCACHED)


@router.get("", operation_id="listKeys", response_model=KeysAnswer)
async def list_keys(services: Ctx, caller: Caller) -> KeysAnswer:
    """The keys whose projects are all the caller's, without their secrets."""
    return KeysAnswer(keys=await services.key_service.list(caller))


@router.post(
    "/{key_id}/rotate",
    operation_id="rotateKey",
    response_model=NewKeyAnswer,
    responses=problems(key_not_found(), beyond_own_rights(), too_many_keys()),
)
async def rotate(
    services: Ctx,
    caller: Caller,
    key_id: KeyName,
    wanted: Annotated[RotationRequest, Depends(JsonBody(RotationRequest))],
) -> Response:
    """Give a key a new secret; the present one stays valid for a while, one from before that ends now."""
    made = await services.key_service.rotate(caller, key_id, timedelta(seconds=wanted.overlap_seconds))
    return Response(made.model_dump_json(), media_type="application/json", headers=_UNCACHED)


@router.delete(
    "/{key_id}", operation_id="revokeKey", status_code=204, responses=problems(key_not_found(), beyond_own_rights())
)
async def revoke(services: Ctx, caller: Caller, key_id: KeyName) -> Response:
    """Revoke a key. Every replica refuses it within 5 seconds."""
    await services.key_service.revoke(caller, key_id)
    return Response(status_code=204)
