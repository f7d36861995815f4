"""What training rests on: order of the data, optimiser states in files, rates, checkpoints, and launches."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from elusive.distillation.checkpoint import Checkpoints
from elusive.distillation.data_order import batch_at
from elusive.distillation.learner import Learner
from elusive.distillation.settings import TrainingSettings
from elusive.distillation.tensors import load_optimizer, save_optimizer
from elusive.errors import DivergedError, FolderError, OptionError
from elusive.processes import is_first_process, open_processes

# -- order of the data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "size"), [(12, 4), (10, 4), (3, 8)])
def test_each_example_comes_once_an_epoch(n: int, size: int) -> None:
    n_epochs = 4
    drawn = [example for step in range(n * n_epochs // size) for example in batch_at(step, n=n, size=size, seed=1)]
    for start in range(0, len(drawn) - n + 1, n):
        assert Counter(drawn[start : start + n]) == Counter(range(n))


def test_epochs_and_seeds_have_their_own_orders() -> None:
    first, second = (batch_at(step, n=20, size=20, seed=1) for step in (0, 1))
    assert first != second
    assert batch_at(0, n=20, size=20, seed=2) != first
    assert batch_at(0, n=20, size=20, seed=1) == first


@pytest.mark.parametrize("world", [2, 4])
def test_the_shares_of_processes_together_are_the_batch(world: int) -> None:
    for step in range(5):
        shares = [batch_at(step, n=10, size=8, seed=3, rank=rank, world=world) for rank in range(world)]
        assert [len(share) for share in shares] == [8 // world] * world
        assert [example for share in shares for example in share] == batch_at(step, n=10, size=8, seed=3)


def test_a_batch_is_shared_out_evenly_or_refused() -> None:
    settings = TrainingSettings(batch_size=12, accumulation=3)
    assert [settings.share(world) for world in (1, 2, 4)] == [4, 2, 1]
    with pytest.raises(OptionError, match="among 5 processes in 3 parts; expected a multiple of 15"):
        settings.share(5)


def test_a_refresh_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match="refresh 'sometimes'"):
        TrainingSettings(refresh="sometimes")


# -- optimisers ------------------------------------------------------------------------------------------------------


def learner(model: nn.Module, **options: float) -> Learner:
    given = {"lr": 0.1, "warmup": 2, "steps": 6, "clip": 1.0} | options
    return Learner("model", list(model.parameters()), **given)


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def trained(model: nn.Module, taught: Learner, steps: range) -> None:
    accelerator = open_processes(device="cpu")
    for step in steps:
        given = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
        model(given).square().mean().backward()
        taught.gather(step, accelerator)
        taught.step(step)


def test_training_goes_on_from_files_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = small()
    trained(whole, learner(whole), range(6))
    first = small()
    begun = learner(first)
    trained(first, begun, range(3))
    begun.save(tmp_path)
    second = small(seed=9)
    second.load_state_dict(first.state_dict())
    resumed = learner(second)
    resumed.load(tmp_path)
    for ours, theirs in zip(begun.optimizer.state.values(), resumed.optimizer.state.values(), strict=True):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    trained(second, resumed, range(3, 6))
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), second.parameters(), strict=True))


def test_a_weight_that_never_had_a_gradient_is_no_hindrance(tmp_path: Path) -> None:
    used, unused = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([unused, used])
    used.sum().backward()
    optimizer.step()
    save_optimizer(tmp_path / "state", optimizer)
    other = torch.optim.AdamW([unused, used])
    load_optimizer(tmp_path / "state", other)
    assert other.state.keys() == {used}


@pytest.mark.parametrize("content", [None, b"", b"half a file"])
def test_a_state_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "state").write_bytes(content)
    with pytest.raises(FolderError, match=r"state cannot be read .*; delete its folder"):
        load_optimizer(tmp_path / "state", torch.optim.AdamW(small().parameters()))


def test_a_state_of_more_weights_is_of_another_model(tmp_path: Path) -> None:
    model = small()
    taught = learner(model)
    trained(model, taught, range(1))
    taught.save(tmp_path)
    with pytest.raises(FolderError, match="the state of another model"):
        load_optimizer(tmp_path / "model-optimizer.safetensors", torch.optim.AdamW([nn.Parameter(torch.ones(1))]))


def test_the_rate_rises_and_falls_in_lines() -> None:
    taught = learner(small(), warmup=2, steps=6)
    assert [taught.rate(step) for step in range(7)] == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0])
    assert [learner(small(), warmup=0, steps=2).rate(step) for step in range(2)] == [1.0, 0.5]
    assert learner(small(), warmup=9, steps=2).rate(1) == pytest.approx(2 / 9)


def test_a_gradient_is_cut_to_its_largest_norm() -> None:
    model = nn.Linear(1, 1, bias=False)
    taught = Learner("model", list(model.parameters()), 0.1, 0, 5, clip=0.5)
    taught.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model.weight.item()
    (model.weight * 100).sum().backward()
    taught.gather(0, open_processes(device="cpu"))
    taught.step(0)
    assert model.weight.item() == pytest.approx(before - 0.1 * 0.5)
    assert model.weight.grad is None


def test_a_gradient_that_is_no_number_is_refused() -> None:
    model = nn.Linear(1, 1)
    before = [weight.clone() for weight in model.parameters()]
    taught = learner(model)
    (model.weight * float("inf")).sum().backward()
    with pytest.raises(DivergedError, match=r"the gradient of the model is \w+ at step 4"):
        taught.gather(3, open_processes(device="cpu"))
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


# -- checkpoints -----------------------------------------------------------------------------------------------------


def write(folder: Path) -> None:
    (folder / "weights").write_text("weights")


def test_the_last_whole_checkpoint_counts_and_is_the_only_one(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "training")
    assert kept.latest() is None
    for step in (0, 2, 11):
        kept.best(step).mkdir(parents=True, exist_ok=True)
        kept.save(step, {"step": step}, write, keep=[kept.best(2)])
    assert kept.latest() == {"step": 11}
    assert {path.name for path in kept.folder.iterdir()} == {kept.path(11).name, kept.best(2).name}


def test_half_a_checkpoint_does_not_count(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "training")
    kept.save(2, {"step": 2}, write)

    def killed(folder: Path) -> None:
        write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.save(4, {"step": 4}, killed)
    assert kept.latest() == {"step": 2}
    kept.save(4, {"step": 4}, write)
    assert kept.latest() == {"step": 4}
    (kept.path(4) / "state.json").write_text('{"step": 5}')
    assert kept.latest() is None, "its seal is broken"


# -- processes -------------------------------------------------------------------------------------------------------


def test_a_launch_that_accelerate_does_not_join_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(OptionError, match="3 processes were launched, but accelerate joins 1: each would do all"):
        open_processes(device="cpu")


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"trackers": "tensorbored"}, "accelerate refuses these options: .*tensorbored"),
        ({"trackers": "aim"}, "--report-to aim is not installed"),
        ({"bf16": True}, "accelerate refuses these options: .*already been initialized"),
    ],
)
def test_what_accelerate_cannot_do_is_told(tmp_path: Path, options: dict[str, Any], because: str) -> None:
    open_processes(device="cpu")
    with pytest.raises(OptionError, match=because) as caught:
        open_processes(device="cpu", folder=tmp_path, **options)
    assert "\n" not in str(caught.value)


def test_one_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_first_process()
