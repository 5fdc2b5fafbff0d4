"""What importing the libraries leaves out, and that it is there when it is asked for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from mediatask_job.models.load import load
from diffusers import StableDiffusionPipeline, ZImagePipeline
from transformers import CLIPTextModel
print([name for name in ("torch._dynamo.symbolic_convert", "torch._inductor") if name in sys.modules])
import torch
print(torch._dynamo.optimize.__name__, "torch._dynamo.symbolic_convert" in sys.modules, torch._dynamo.is_compiling())
"""


def test_the_compiler_is_imported_on_demand_only() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == ["[]", "optimize True False"], done.stderr
