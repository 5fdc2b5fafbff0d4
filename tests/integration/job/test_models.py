"""Where models come from, what may be loaded, and what happens when a GPU gives up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mediatask_crds.model import ModelSource
from mediatask_job.failures import GpuFault, GpuOutOfMemory, ModelMissing
from mediatask_job.models.builtin.defaults import Defaults
from mediatask_job.models.source import ModelFolder, locate
from mediatask_job.runtime.timings import Timings


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
        load(ModelFolder(tmp_path, "m", None, Defaults()), ModelSource(path="/m"), "whole")
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


class TestLadder:
    """With a loader that stands in for the GPU, which the machine of this test may lack."""

    @pytest.fixture
    def climb(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        from mediatask_job.models import ladder

        def load(folder: ModelFolder, source: ModelSource, rung: str) -> Any:
            return SimpleNamespace(rung=rung)

        monkeypatch.setattr(ladder, "load", load)
        folder = ModelFolder(Path("/m"), "m", None, Defaults())
        return lambda work: ladder.climb(folder, ModelSource(), Timings(), lambda: None, work)

    def test_memory_running_out_climbs_down(self, climb: Any) -> None:
        import torch

        tried = []

        def work(loaded: Any) -> str:
            tried.append(loaded.rung)
            if loaded.rung != "model-offload":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
            return "done"

        assert climb(work) == "done"
        assert tried == ["whole", "vae-tiling", "model-offload"]

    def test_the_last_rung_is_the_last(self, climb: Any) -> None:
        import torch

        def work(_: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory.")

        with pytest.raises(GpuOutOfMemory):
            climb(work)

    @pytest.mark.parametrize("kind", ["AcceleratorError", "RuntimeError"])
    def test_a_broken_context_is_not_tried_again(self, climb: Any, kind: str) -> None:
        import torch

        tried = []

        def work(loaded: Any) -> None:
            tried.append(loaded.rung)
            raise getattr(torch, kind, RuntimeError)("CUDA error: an illegal memory access was encountered")

        with pytest.raises(GpuFault):
            climb(work)
        assert tried == ["whole"]

    def test_a_bug_stays_a_bug(self, climb: Any) -> None:
        def work(_: Any) -> None:
            raise RuntimeError("size mismatch")

        with pytest.raises(RuntimeError, match="size mismatch"):
            climb(work)
