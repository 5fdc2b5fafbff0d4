"""The verb for programs with agents in them.

Without `from __future__ import annotations`: see `tasks.py`.
"""

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Key, Url


@app.command()
def mcp(url: Url = None, api_key: Key = None, folder: Dir = DEFAULT_DIR) -> None:
    """Serve the service's MCP tools on standard input and output, for desktop agents."""
    import asyncio

    from ...config import resolve
    from ..mcpbridge import serve

    connection = resolve(url, api_key, folder)
    try:
        asyncio.run(serve(connection))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
