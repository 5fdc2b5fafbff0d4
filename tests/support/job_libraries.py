"""Imports what jobs of all types import, so that processes forked afterwards need not."""

from __future__ import annotations

import importlib
import os

import diffusers

from mediatask_job.runtime.cpus import limit_threads, usable_cpus

_RUNNERS = [
    f"mediatask_job.runners.{type}" for type in ("generate_image", "generate_video", "process_audio", "test_prompt")
]
_PIPELINES = ["StableDiffusionPipeline", "WanPipeline", "ZImagePipeline"]
"""Each brings modules that `import diffusers` leaves for later."""

limit_threads(os.environ, usable_cpus())
for module in ("mediatask_job.models.load", "mediatask_job.run", *_RUNNERS, "httpcore"):
    importlib.import_module(module)
for name in _PIPELINES:
    getattr(diffusers, name)
