"""No progress bars and no advice of libraries in a task's log."""

from __future__ import annotations

from .libraries import diffusers, transformers


def silence() -> None:
    """Only errors from here on."""
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()
