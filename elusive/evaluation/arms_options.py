"""In which options of evaluate, pretrain and augment arms differ, so that it is seen what a difference is due to.

Options that name what a job hands to the next one are left out, and so is whatever differs between seeds; but how
questions are asked must be the same in all arms at each seed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from elusive.config import AugmentConfig, EvaluateConfig, PretrainConfig
from elusive.errors import InputError
from elusive.evaluation.arms_reading import Arm
from elusive.evaluation.arms_result import ArmsComparison

_COMPARED: Final[Mapping[str, frozenset[str]]] = {
    "augment": frozenset(AugmentConfig.model_fields) - {"corpus", "seed"},
    "pretrain": frozenset(PretrainConfig.model_fields) - {"data", "seed"},
    "evaluate": frozenset(EvaluateConfig.model_fields)
    - {"model", "adapter", "retriever", "questions", "trained_on", "seed"}
    - {"forgetting", "forgetting_limit", "window", "strip_tags"},  # no answer depends on these
}
"""Options by job."""

Differing = Mapping[str, Mapping[str, Any]]
"""By option, the value of each arm."""


def differing_options(arms: Sequence[Arm]) -> dict[str, Differing]:
    """By job, the options in which arms differ; arms of which a job's record was not found are left out."""
    found = {
        job: _differing({arm.name: _records(arm, job) for arm in arms}, names, seed_by_seed=job == "evaluate")
        for job, names in _COMPARED.items()
    }
    return {job: options for job, options in found.items() if options}


def best_options(comparison: ArmsComparison) -> dict[str, Any]:
    """The options of augment in which the best arm differs from another one.

    Raises:
        InputError: it is not known how the best arm's dataset was made, or by the same options as all others.
    """
    best = comparison.best
    options = {name: values for name, values in comparison.options.get("augment", {}).items() if best in values}
    if not options:
        raise InputError(
            f"the options of augment behind the best arm, {best!r}, are not known, or no other arm's differ from them; "
            "expected arms evaluated after pretrain on folders of augment that are still there"
        )
    chosen = {name: values[best] for name, values in options.items()}
    return {name: value for name, value in chosen.items() if any(other != value for other in options[name].values())}


def _records(arm: Arm, job: str) -> list[Mapping[str, Any]] | None:
    """A job's options behind each seed of an arm; None where one is not known."""
    found = [one.options if job == "evaluate" else one.training.options.get(job) for one in arm.evaluations]
    known = [options for options in found if options is not None]
    return known if len(known) == len(found) else None


def _differing(
    arms: Mapping[str, list[Mapping[str, Any]] | None], names: frozenset[str], *, seed_by_seed: bool
) -> Differing:
    known = {arm: records for arm, records in arms.items() if records}
    in_order = dict.fromkeys(name for records in known.values() for name in records[0] if name in names)
    options = {name: {arm: [one.get(name) for one in records] for arm, records in known.items()} for name in in_order}
    return {
        name: {arm: values[0] if _is_one(values) else values for arm, values in by_arm.items()}
        for name, by_arm in options.items()
        if (seed_by_seed or all(map(_is_one, by_arm.values())))
        and any(values != next(iter(by_arm.values())) for values in by_arm.values())
    }


def _is_one(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)
