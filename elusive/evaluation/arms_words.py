"""A comparison of arms in plain words, whatever it came to; and what makes its arms hard to compare.

Says "above" and "below" only where the interval over groups and every seed say so. Names stand as they were given.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from elusive.evaluation.arms_result import ArmFigures, ArmsComparison, Difference, Spread
from elusive.statistics import Estimate

_LABELS: Final = {"exact_match": "exact match", "f1": "F1"}
_ENOUGH_SEEDS: Final = 3
_ENOUGH_GROUPS: Final = 10
_DROP_RATE_APART: Final = 0.01


def label(measure: str) -> str:
    """A measure as readers know it."""
    return _LABELS.get(measure, measure)


def verdict(comparison: ArmsComparison) -> tuple[str, ...]:
    """The best arm, each difference of the first measure, and what few seeds and few groups leave open."""
    return (
        _best(comparison),
        *map(difference_in_words, comparison.pairs),
        *_few_seeds(comparison.n_seeds),
        *_few_groups(comparison),
    )


def warnings(comparison: ArmsComparison) -> tuple[str, ...]:
    """What other than the arms' own idea may be behind a difference."""
    return (
        *_steps(comparison.arms),
        *_drop_rates(comparison.arms),
        *_leaks(comparison),
        *_asked_otherwise(comparison),
    )


def difference_in_words(one: Difference) -> str:
    """One sentence, and a second one where seeds leave more open than groups do."""
    mean, measure, evidence = one.difference.mean or 0.0, label(one.measure), "; ".join(_evidence(one))
    if one.word == "not told apart":
        return f"{one.arm} and {one.reference} are not told apart: {mean:+z.3f} {measure} ({evidence})."
    sentence = f"{one.arm} is {one.word} {one.reference} by {abs(mean):.3f} {measure} ({evidence})."
    low, high = one.over_seeds or (mean, mean)
    if low < 0 < high:
        return f"{sentence} With seeds as the unit the interval holds 0: other training runs may come out otherwise."
    return sentence


def _evidence(one: Difference) -> Iterator[str]:
    bounds, n = one.difference.interval, len(one.by_seed)
    yield f"95 % {_to(bounds, '+z.3f')}" if bounds else "too few groups for an interval"
    yield f"{one.n_above} of {n} {'seed' if n == 1 else 'seeds'} above"
    if one.over_seeds:
        yield f"with seeds as the unit 95 % {_to(one.over_seeds, '+z.3f')}"


def _best(comparison: ArmsComparison) -> str:
    measure = comparison.measures[0]
    means = {arm.name: arm.estimates[measure] for arm in comparison.arms}
    highest = means[comparison.best]
    equal = [name for name, one in means.items() if one.mean == highest.mean]
    return f"Highest {label(measure)}: {_listed(equal)}, {_with_interval(highest)}."


def _few_seeds(n: int) -> Iterator[str]:
    if n < _ENOUGH_SEEDS:
        seeds = "One seed says" if n == 1 else f"{n} seeds say"
        yield f"{seeds} little of other training runs: whatever is above or below here may be the chance of training."


def _few_groups(comparison: ArmsComparison) -> Iterator[str]:
    n = comparison.n_groups
    if n < _ENOUGH_GROUPS and any(one.difference.interval for one in comparison.pairs):
        yield f"Intervals over {n} groups of questions are too narrow, and no verdict by them is sure."


def _steps(arms: Sequence[ArmFigures]) -> Iterator[str]:
    known = {arm.name: arm.steps for arm in arms}
    unknown = [name for name, steps in known.items() if steps is None]
    if unknown:
        yield f"The optimizer steps of {_listed(unknown)} are not known."
    by_seed = {tuple(seed.steps for seed in arm.seeds) for arm in arms if arm.steps}
    if len(by_seed) > 1:
        yield f"Arms differ in optimizer steps: {_each(known, '.0f')}."


def _drop_rates(arms: Sequence[ArmFigures]) -> Iterator[str]:
    known = {arm.name: arm.drop_rate for arm in arms if arm.drop_rate and arm.drop_rate.mean}
    means = [one.mean for one in known.values()]
    if means and max(means) - min(means) > _DROP_RATE_APART:
        yield f"Arms differ in their mean drop rate: {_each(known, '.3f')}."


def _leaks(comparison: ArmsComparison) -> Iterator[str]:
    for arm in comparison.arms:
        if arm.leaked:
            yield (
                f"{arm.name}: {arm.leaked:,} of {comparison.n_questions:,} questions over all seeds stand in what its "
                "models were trained on."
            )


def _asked_otherwise(comparison: ArmsComparison) -> Iterator[str]:
    options = comparison.options.get("evaluate", {})
    if options:
        yield f"Arms were not asked in the same way: they differ in {_listed(list(options))} of evaluate."


def _each(known: Mapping[str, Spread | None], spec: str) -> str:
    return ", ".join(f"{name} {spread_in_words(one, spec)}" for name, one in known.items() if one)


def spread_in_words(one: Spread, spec: str) -> str:
    """A figure, or the least and the most of it over seeds."""
    least, most = f"{one.lowest:{spec}}", f"{one.highest:{spec}}"
    return least if least == most else f"{least} to {most}"


def _with_interval(one: Estimate) -> str:
    mean = "not known" if one.mean is None else f"{one.mean:.3f}"
    return f"{mean} (95 % {_to(one.interval, '.3f')})" if one.interval else mean


def _to(bounds: tuple[float, float], spec: str) -> str:
    return f"{bounds[0]:{spec}} to {bounds[1]:{spec}}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
