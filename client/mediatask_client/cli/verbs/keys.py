"""API keys: by the rights of a kubeconfig, where whoever may change the Secret makes and revokes them, or over REST.

Without `from __future__ import annotations`: Typer would evaluate each annotation from its text, which slows `--help`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, Key, Output, Url

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, list, rotate and revoke API keys.")
app.add_typer(keys, name="keys")

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        envvar="KUBECONFIG", help="Kubeconfig file; that of a running local mode, else ~/.kube/config, when absent."
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", envvar="MEDIATASK_NAMESPACE", help="Namespace of the Secret; the context's."),
]
SecretName = Annotated[
    str, typer.Option("--secret", envvar="MEDIATASK_API_KEYS_SECRET", help="Secret that holds the keys.")
]
SECRET = "mediatask-api-keys"
Rest = Annotated[
    bool, typer.Option("--rest", help="By the REST API, with a key that has the scope keys:admin; no kubeconfig.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key: letters, digits, dots and dashes.")]


@keys.command()
def create(
    name: Name,
    project: Annotated[list[str], typer.Option("--project", "-p", help="Project it may use, `*` for all; repeatable.")],
    role: Annotated[str | None, typer.Option(help="viewer, writer, director or producer.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Instead of a role: one scope; repeatable.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 90d, 12h, or 2027-01-31.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    secret: SecretName = SECRET,
    rest: Rest = False,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
    output: Output = Format.TABLE,
) -> None:
    """Make a key. It is shown this once: only its digest is stored."""
    from ..keystore import KeyStore, moment
    from ..restkeys import RestKeys
    from ..terminal.output import write_key

    store = RestKeys(url, api_key, folder) if rest else KeyStore(kubeconfig, namespace, secret, folder)
    made = store.create(
        name,
        projects=project,
        role=role,
        scopes=scope or None,
        expires_at=moment(expires) if expires is not None else None,
        description=description,
    )
    write_key(output, made, f"key {name} is in {store.place}; it is shown this once")


@keys.command("list")
def list_keys(
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    secret: SecretName = SECRET,
    rest: Rest = False,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
    output: Output = Format.TABLE,
) -> None:
    """All keys, without their secrets."""
    from ..app import complain
    from ..keystore import KeyStore
    from ..restkeys import RestKeys
    from ..terminal.output import write_keys

    store = RestKeys(url, api_key, folder) if rest else KeyStore(kubeconfig, namespace, secret, folder)
    found, faults = store.list()
    write_keys(output, found)
    for entry, fault in faults.items():
        complain(f"entry {entry} of {store.place} is no key: {fault}")


@keys.command()
def rotate(
    name: Name,
    overlap: Annotated[str, typer.Option(help="How long the present secret stays valid: 24h, 7d, 0m.")] = "24h",
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    secret: SecretName = SECRET,
    rest: Rest = False,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
    output: Output = Format.TABLE,
) -> None:
    """Give a key a new secret; both are valid until the overlap ends."""
    from ..keystore import KeyStore, duration
    from ..restkeys import RestKeys
    from ..terminal.output import write_key

    length: timedelta = duration(overlap)
    store = RestKeys(url, api_key, folder) if rest else KeyStore(kubeconfig, namespace, secret, folder)
    made: dict[str, Any] = store.rotate(name, length)
    write_key(output, made, f"the earlier secret of {name} is valid for another {overlap}")


@keys.command()
def revoke(
    name: Name,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    secret: SecretName = SECRET,
    rest: Rest = False,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Revoke a key: every replica of the service refuses it within 5 seconds."""
    from ..keystore import KeyStore
    from ..restkeys import RestKeys

    store = RestKeys(url, api_key, folder) if rest else KeyStore(kubeconfig, namespace, secret, folder)
    store.revoke(name)
    typer.secho(f"revoked {name} in {store.place}", dim=True, err=True)
