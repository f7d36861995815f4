"""From the options of a pretraining to its model: where it comes from, what of it learns, and how."""

from typing import TYPE_CHECKING, Any, Final

from elusive.config import PRETRAIN_NEUTRAL_OPTIONS, PretrainConfig
from elusive.errors import OptionError
from elusive.jobs.inputs import source_of
from elusive.jobs.record import file_states
from elusive.models import ModelSource, fingerprint
from elusive.pretraining.borders import check_hiding, check_packing
from elusive.pretraining.learner import Lora, check_learner, load_learner
from elusive.pretraining.own_dropout import check_dropout, config_with_dropout
from elusive.pretraining.settings import TrainingSettings, checkpoint_interval, rows_per_pass

if TYPE_CHECKING:
    from torch import nn

ROWS_VERSION: Final = 1
"""To be raised when the same options would train otherwise than before."""


def in_bf16(config: PretrainConfig) -> bool:
    """Whether to train in mixed precision: as told, else on a GPU that can."""
    if config.bf16 is not None:
        return config.bf16
    import torch

    return config.device != "cpu" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def learner_source(config: PretrainConfig) -> ModelSource:
    """The model as it was named.

    Raises:
        OptionError: a device that Trainer does not choose, or a dtype that small steps round away in.
    """
    if config.device not in ("auto", "cpu", "cuda"):
        raise OptionError(
            f"--device {config.device}: training takes the GPUs that it sees; choose them by CUDA_VISIBLE_DEVICES, and "
            "give --device cuda, cpu or auto"
        )
    if not config.lora and config.dtype not in ("auto", "float32"):
        raise OptionError(
            f"--dtype {config.dtype} would round small steps away in what is trained; leave it out, and train in mixed "
            "precision by --bf16"
        )
    return source_of(config, config.model, revision=config.revision)


def load_model(config: PretrainConfig) -> "nn.Module":
    """The model that learns, as yet untrained.

    Raises:
        ElusiveError: it cannot be loaded, or cannot be trained in the way that is asked for.
    """
    source = learner_source(config)
    changed = config_with_dropout(source, config.dropout) if config.dropout else None
    model = load_learner(source, _lora(config), config=changed)
    if changed:
        check_dropout(model, source)
    if config.packing:
        check_packing(model, source.name)
    if config.drop_by == "attention":
        check_hiding(model, source.name)
    return model


def _lora(config: PretrainConfig) -> Lora | None:
    if not config.lora:
        return None
    return Lora(
        rank=config.lora,
        alpha=config.lora_alpha,
        dropout=config.lora_dropout,
        targets=[name.strip() for name in config.lora_targets.split(",")],
        seed=config.seed,
    )


def settings_of(config: PretrainConfig, *, steps: int, world: int) -> TrainingSettings:
    """The options of the steps.

    Raises:
        OptionError: as `rows_per_pass`.
    """
    same = ("accumulation", "lr", "warmup", "schedule", "clip", "weight_decay", "gradient_checkpointing", "seed")
    return TrainingSettings(
        steps=steps,
        rows_per_pass=rows_per_pass(config.batch_size, accumulation=config.accumulation, world=world),
        save_every=config.save_every or checkpoint_interval(steps),
        bf16=in_bf16(config),
        on_cpu=config.device == "cpu",
        **{name: getattr(config, name) for name in same},
    )


def recorded_options(config: PretrainConfig) -> dict[str, Any]:
    """What decides a run's weights: the options, and the state of the things they name.

    Raises:
        ElusiveError: a model that cannot be found or trained.
    """
    source = learner_source(config)
    check_learner(source)
    measured = {name: getattr(config, name) for name in ("evaluate", "select", "examples", "templates")}
    named = {name: place for name, place in measured.items() if place}
    named |= {"data": config.data} | {f"replay_{n}": name for n, (name, _) in enumerate(config.replayed, 1)}
    states = {
        f"{role}_files": file_states(name, what=f"data {name}", outputs=(config.out,)) for role, name in named.items()
    }
    recorded = config.model_dump(mode="json", exclude=set(PRETRAIN_NEUTRAL_OPTIONS))
    return recorded | {
        "bf16": in_bf16(config),
        "rows_version": ROWS_VERSION,
        "model_fingerprint": fingerprint(source),
        **states,
    }
