"""The training loop: a run that was interrupted ends like one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from demo_model.parts.loop import Plan, fit


class Interrupted(Exception):
    """Stands for a kill."""


def run(folder: Path, stop_after: int | None = None) -> Tensor:
    torch.manual_seed(0)
    module = nn.Linear(4, 1)
    calls = 0

    def loss() -> Tensor:
        nonlocal calls
        calls += 1
        if stop_after is not None and calls > stop_after:
            raise Interrupted
        inputs = torch.randn(8, 4)
        return (module(inputs) - inputs.sum(1, keepdim=True)).square().mean()

    fit("part", module, loss, Plan(steps=30, learning_rate=0.05, warmup=5, average_decay=0.9, save_every=10), folder)
    return module.weight.detach().clone()


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "halved").mkdir()
    whole = run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "halved", stop_after=17)
    assert torch.equal(run(tmp_path / "halved"), whole)


def test_a_finished_part_is_not_trained_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert torch.equal(run(tmp_path, stop_after=0), first)
