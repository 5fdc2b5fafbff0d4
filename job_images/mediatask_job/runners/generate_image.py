"""`generate_image`: pictures by a diffusion model, in the colours of a style guide."""

from __future__ import annotations

from mediatask_crds.tasktypes.generate_image import GenerateImage

from ..context import Context, Output, OutputFile
from ..models import READY
from ..outputs.facts import chosen_seed
from ..outputs.provenance import Source
from ..picture.draw import Order, draw
from ..picture.palette import follow_palette
from ..picture.save import SUFFIXES, save_picture
from ..picture.settings import DrawingSettings

_GUIDE_SIDE = 512


def run(ctx: Context[GenerateImage]) -> Output:
    """Fetch, draw, colour, save."""
    data = ctx.data
    settings = ctx.settings(DrawingSettings)
    settings.check_pixels(data.num_images, (data.width, data.height), "pictures")
    ctx.progress("fetching_inputs", 0.02)
    guides = ctx.inputs.pictures([data.style_guide] if data.style_guide else [])
    references = ctx.inputs.pictures(data.reference_images)
    prompt = describe(data)
    order = Order(
        prompts=[prompt] * data.num_images,
        width=data.width,
        height=data.height,
        seed=chosen_seed(data.seed),
        negative_prompt=data.negative_prompt,
        steps=data.steps,
        references=tuple(references),
    )
    drawn = draw(ctx, order, settings, lambda done: ctx.progress("generating_image", READY + (0.9 - READY) * done))
    ctx.progress("encoding", 0.92)
    files = []
    with ctx.timings.stage("encode"):
        for number, image in enumerate(drawn.images, start=1):
            ctx.check_stop()
            for guide in guides:
                image = follow_palette(image, guide.open(_GUIDE_SIDE))
            name = "image" if data.num_images == 1 else f"image-{number}"
            file = ctx.work / f"{name}{SUFFIXES[data.format]}"
            save_picture(image, file, data.format, prompt, Source.TRAINED)
            files.append(OutputFile(file, f"image/{data.format}"))
    images = [
        {"name": file.path.name, "seed": seed, "file_size": file.path.stat().st_size}
        for file, seed in zip(files, drawn.seeds, strict=True)
    ]
    metadata = drawn.facts | {
        "width": data.width,
        "height": data.height,
        "format": data.format,
        "prompt": prompt,
        "file_size": images[0]["file_size"],
        "images": images,
    }
    return Output(files, metadata)


def describe(data: GenerateImage) -> str:
    """One prompt of all that is said in words: no pipeline has arguments for pose or light."""
    parts = [data.description]
    if data.pose:
        parts.append(f"pose: {_words(data.pose)}")
    if data.lighting:
        parts.append(f"lighting: {_words(data.lighting)}")
    return ", ".join(parts)


def _words(name: str) -> str:
    """`standing_confident` as words."""
    return name.replace("_", " ")
