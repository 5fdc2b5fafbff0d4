"""Which modules are mutated, and which tests have to notice; those that find most stand first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Module:
    """A module and the tests that concern it."""

    path: str
    tests: tuple[str, ...]


_OPERATOR = "operator/mediatask_operator"
_UNIT = "tests/unit/operator"
_INTEGRATION = "tests/integration/operator"
_RECONCILE = (
    f"{_UNIT}/deciding/test_transcripts.py",
    *(f"{_UNIT}/deciding/test_reconcile{part}.py" for part in ("", "_retries", "_ends", "_restarts")),
)

MODULES = {
    "reconcile": Module(
        f"{_OPERATOR}/deciding/reconcile.py",
        (*_RECONCILE, f"{_UNIT}/deciding/test_reconcile_properties.py"),
    ),
    "attempts": Module(
        f"{_OPERATOR}/deciding/attempts.py",
        (*_RECONCILE, f"{_UNIT}/deciding/test_attempts.py"),
    ),
    "status": Module(f"{_OPERATOR}/deciding/status.py", (*_RECONCILE, f"{_UNIT}/deciding/test_status.py")),
    "admission": Module(f"{_OPERATOR}/deciding/admission.py", (f"{_UNIT}/deciding/test_admission.py",)),
    "callback": Module(
        f"{_OPERATOR}/deciding/callback.py",
        (*_RECONCILE, f"{_UNIT}/deciding/test_callback.py"),
    ),
    "workqueue": Module(f"{_OPERATOR}/workqueue.py", (f"{_UNIT}/test_workqueue.py",)),
    "resync": Module(f"{_OPERATOR}/watching/resync.py", (f"{_UNIT}/watching/test_resync.py",)),
    "effects": Module(f"{_OPERATOR}/effects/base.py", (f"{_UNIT}/effects/test_effects.py",)),
    "pool": Module(f"{_OPERATOR}/effects/pool.py", (f"{_UNIT}/effects/test_effects.py",)),
    "result": Module(
        f"{_OPERATOR}/effects/result.py", (f"{_UNIT}/effects/test_result.py", f"{_UNIT}/effects/test_effects.py")
    ),
    "webhook": Module(
        f"{_OPERATOR}/effects/webhook.py",
        (
            f"{_INTEGRATION}/test_webhook.py",
            f"{_INTEGRATION}/test_effects.py",
            "tests/attacks/test_forbidden_addresses.py",
        ),
    ),
    "message": Module(
        f"{_OPERATOR}/effects/message.py",
        (f"{_UNIT}/effects/test_webhook_message.py", f"{_INTEGRATION}/test_webhook.py"),
    ),
    "keys": Module(f"{_OPERATOR}/effects/keys.py", (f"{_UNIT}/effects/test_webhook_keys.py",)),
    "post": Module(
        f"{_OPERATOR}/effects/post.py",
        (
            f"{_UNIT}/effects/test_webhook_message.py",
            f"{_INTEGRATION}/test_webhook.py",
            "tests/attacks/test_forbidden_addresses.py",
        ),
    ),
    "netguard": Module("common/mediatask_common/netguard.py", ("tests/unit/common/test_netguard.py",)),
    "fencing": Module("api/mediatask_api/pods/fencing.py", ("tests/unit/api/test_fencing.py",)),
}
