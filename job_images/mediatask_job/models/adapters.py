"""The pipelines that this runtime knows how to call, and how they differ. A further one is a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Adapter:
    """A pipeline class of diffusers."""

    patch: int = 2
    """Latents per side that its transformer takes as one token. A U-Net halves its input several times and interpolates
    where that leaves a remainder: with multiples of 4 on its small inner levels only."""
    guidance: str = "guidance_scale"
    """Argument that says how strictly the text is followed."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of every call."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """Parts that need a number format of their own, whatever the rest uses."""

    def grid(self, pipeline: Any) -> int:
        """Pixels of which every side has to be a multiple."""
        # Video pipelines have a factor for space and one for time.
        factor = getattr(pipeline, "vae_scale_factor_spatial", None) or pipeline.vae_scale_factor
        return int(factor) * self.patch


ADAPTERS: Mapping[str, Adapter] = {
    "Flux2KleinPipeline": Adapter(),
    # Guides only with a negative prompt, be it an empty one.
    "QwenImagePipeline": Adapter(guidance="true_cfg_scale", arguments={"negative_prompt": " "}),
    "StableDiffusionPipeline": Adapter(patch=4),
    "StableDiffusionXLPipeline": Adapter(patch=4),
    # Its decoder gives banded pictures in half precision.
    "WanPipeline": Adapter(dtypes={"vae": "float32"}),
    "ZImagePipeline": Adapter(),
}
"""Pipeline classes that may be loaded."""
