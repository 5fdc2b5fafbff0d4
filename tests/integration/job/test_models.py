"""Where models come from, what may be loaded, and what happens when a GPU gives up."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mediatask_crds.model import ModelSource
from mediatask_job.failures import ModelMissing
from mediatask_job.models.builtin.defaults import Defaults
from mediatask_job.models.source import ModelFolder, locate


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "builtin, path or hub"),
        (ModelSource(builtin="huge-image"), "tiny-image"),
        (ModelSource(path="/no/such/folder"), "claimName"),
        (ModelSource(hub="org/model", revision="abc"), "hf download org/model"),
    ],
)
def test_a_missing_model_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: ModelSource | None, said: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelMissing, match=said):
        locate(source, tmp_path, tmp_path)


def test_a_hub_model_is_found_in_the_cache(tmp_path: Path) -> None:
    """The layout of `hf download --cache-dir`."""
    commit = "0" * 40
    repository = tmp_path / "models--org--model"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    found = locate(ModelSource(hub="org/model"), tmp_path, tmp_path)
    assert (found.path, found.name, found.revision) == (repository / "snapshots" / commit, "org/model", commit)


@pytest.mark.parametrize(
    ("index", "code"),
    [
        (None, "ModelMissing"),
        ({"_class_name": "AnimateDiffPipeline"}, "PipelineNotAllowed"),
        ({"_class_name": "ZImagePipeline", "vae": ["their_code", "Vae"]}, "PipelineNotAllowed"),
        ({"_class_name": ["their_pipeline", "ZImagePipeline"]}, "PipelineNotAllowed"),
    ],
)
def test_only_known_pipelines_without_code_of_their_own_are_loaded(tmp_path: Path, index: Any, code: str) -> None:
    from mediatask_job.models.load import load

    if index is not None:
        (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelMissing) as failure:
        load(ModelFolder(tmp_path, "m", None, Defaults()), ModelSource(path="/m"), "whole", lambda _: None)
    assert failure.value.code == code


def test_two_processes_may_build_a_builtin_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from mediatask_job.models.builtin import BUILTINS; "
        "print(BUILTINS['tiny-video'].place(Path(sys.argv[1]), Path(sys.argv[1]))[0])"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate(timeout=500)[0].strip() for process in both}
    assert len(folders) == 1
    assert [str(path) for path in tmp_path.iterdir()] == list(folders)
    assert (Path(folders.pop()) / "model_index.json").is_file()


def test_a_builtin_goes_beside_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    from mediatask_job.models.builtin import BUILTINS

    cache, scratch = tmp_path / "file", tmp_path / "scratch"
    cache.write_text("not a folder")
    scratch.mkdir()
    folder, _ = BUILTINS["tiny-video"].place(cache, scratch)
    assert folder.parent == scratch


def test_a_hub_model_runs_from_the_cache(run: Any, store: Any, model_cache: Path, tmp_path: Path) -> None:
    """The tiny model, laid out as a download of the hub would be."""
    folder = locate(ModelSource(builtin="tiny-image"), model_cache, tmp_path)
    commit = "1" * 40
    snapshots = model_cache / "models--org--tiny" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / commit).symlink_to(folder.path)
    data = {"prompt": "x", "width": 64, "height": 64, "steps": 1}
    ended = run("generate_image", data, model={"hub": "org/tiny", "revision": commit, "pipeline": "ZImagePipeline"})
    assert ended.code == 0, ended.log
    assert ended.words.result.metadata["model"] == "org/tiny"
    assert ended.words.result.metadata["revision"] == commit


def test_stable_diffusions_content_check_is_loaded_and_heeded(run: Any, store: Any, tmp_path: Path) -> None:
    """The usual index of such a model, whose check sits in a module of diffusers."""
    import torch
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    folder = tmp_path / "model"
    shutil.copytree(locate(ModelSource(builtin="demo-image"), tmp_path, tmp_path).path, folder)
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    CLIPImageProcessor(size=30, crop_size=30).save_pretrained(folder / "feature_extractor")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        projection_dim=16, vision_config=sizes | {"image_size": 30, "patch_size": 15, "projection_dim": 16}
    )
    checker = StableDiffusionSafetyChecker(config)
    data = {"prompt": "a house by the sea", "width": 64, "height": 64, "steps": 1, "seed": 1}
    for threshold, code in ((2.0, 0), (-2.0, 11)):  # a cosine is never above 2 and always above -2
        with torch.no_grad():
            checker.concept_embeds_weights.fill_(threshold)
            checker.special_care_embeds_weights.fill_(2.0)
        checker.save_pretrained(folder / "safety_checker")
        ended = run("generate_image", data, model={"path": str(folder)}, parameters={"nativeSize": 64})
        assert ended.code == code, ended.log
    assert ended.words.error.code == "UnsafeContent"


def test_further_gpus_are_not_silently_idle(run: Any) -> None:
    data = {"prompt": "x", "width": 64, "height": 64, "steps": 1}
    two = "import torch; torch.cuda.device_count = lambda: 2"
    ended = run("generate_image", data, model={"builtin": "tiny-image"}, setup=two)
    assert ended.code == 0, ended.log
    assert any("2 GPUs" in warning for warning in ended.words.result.metadata["warnings"])
