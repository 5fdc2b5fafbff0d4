"""torch, diffusers and transformers, without the compiler that they would import for nothing.

A third of the time that diffusers and transformers take to be imported goes into `torch._dynamo` and what it drags in
(inductor, sympy), only for decorators that tell the compiler how to treat a function. This runtime compiles nothing.
So the package stands there unloaded, its decorators return what they are given, and whatever else is asked of it
loads it after all.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

_COMPILER = "torch._dynamo"


class _Unloaded(ModuleType):
    """A package whose code has not run yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(name)
        for stand_in in _STAND_INS:
            self.__dict__.pop(stand_in, None)
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _unchanged(function: Any = None, *_args: Any, **_options: Any) -> Any:
    """A decorator, with or without arguments, that changes nothing."""
    return (lambda decorated: decorated) if function is None else function


class _Compiled:
    """What nothing is an instance of: no module has been compiled."""


_STAND_INS = {
    "allow_in_graph": _unchanged,
    "assume_constant_result": _unchanged,
    "disable": _unchanged,
    "eval_frame": SimpleNamespace(OptimizedModule=_Compiled),
}


def _leave_compiler_out() -> None:
    spec = PathFinder.find_spec(_COMPILER, torch.__path__)
    if _COMPILER in sys.modules or spec is None:
        return
    package = _Unloaded(_COMPILER)
    package.__spec__, package.__loader__, package.__file__ = spec, spec.loader, spec.origin
    package.__package__, package.__path__ = _COMPILER, spec.submodule_search_locations or []
    package.__dict__.update(_STAND_INS)
    sys.modules[_COMPILER] = package


_leave_compiler_out()

import diffusers  # noqa: E402
import transformers  # noqa: E402

__all__ = ["diffusers", "torch", "transformers"]
