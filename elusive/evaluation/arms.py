"""Arms held against each other: means, paired differences and their intervals, over groups and over seeds.

An interval over groups (people) says what other people would have given with the very models that were trained, and
nothing of another training run; that is what seeds are for. So an arm is above another only where both say so.
Knows neither models nor how arms were made. Costs 1,000 draws a figure: a second or so in all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from elusive.errors import InputError
from elusive.evaluation.arms_options import differing_options
from elusive.evaluation.arms_reading import Arm, Evaluation
from elusive.evaluation.arms_result import ArmFigures, ArmsComparison, Difference, SeedFigures, Spread, Word, spread
from elusive.evaluation.arms_words import verdict, warnings
from elusive.statistics import Estimate, over_strata, t_interval


def compare(arms: Sequence[Arm], *, references: Sequence[str], seed: int = 0) -> ArmsComparison:
    """Compare arms.

    Args:
        arms: two or more, with the same questions at each seed.
        references: names of arms.
        seed: of the intervals.

    Raises:
        InputError: the evaluations have no figure in common.
    """
    columns = {arm.name: [_columns(evaluation) for evaluation in arm.evaluations] for arm in arms}
    every = [column for one in columns.values() for column in one]
    measures = _deciding_first([measure for measure in every[0] if all(measure in column for column in every)])
    if not measures:
        raise InputError("no measure is in every evaluation; expected answers, or hits, in each of them")
    figures = tuple(_figures(arm, columns[arm.name], measures, seed=seed) for arm in arms)
    groups = [_groups(evaluation) for evaluation in arms[0].evaluations]
    comparison = ArmsComparison(
        arms=figures,
        references=tuple(references),
        measures=tuple(measures),
        differences=tuple(_differences(columns, groups, references, measures, seed=seed)),
        best=max(figures, key=lambda arm: arm.estimates[measures[0]].mean or 0.0).name,
        options=differing_options(arms),
        n_seeds=len(groups),
        n_questions=sum(map(len, groups)),
        n_groups=len({group for of_seed in groups for group in of_seed}),
    )
    return replace(comparison, verdict=verdict(comparison), warnings=warnings(comparison))


_Columns = dict[str, list[float]]
"""By measure, the values of an evaluation's questions."""


def _columns(evaluation: Evaluation) -> _Columns:
    """What every question of an evaluation has."""
    answers = evaluation.answers
    cuts = answers[0].hits or {}
    found = {"exact_match": [answer.em for answer in answers], "f1": [answer.f1 for answer in answers]}
    found |= {f"HR@{k}": [(answer.hits or {}).get(k) for answer in answers] for k in cuts}
    found |= {name: [(answer.measures or {}).get(name) for answer in answers] for name in answers[0].measures or {}}
    return {
        name: [float(value) for value in values if value is not None]
        for name, values in found.items()
        if None not in values
    }


def _deciding_first(measures: list[str]) -> list[str]:
    """Of retrievers, HR@5 decides, as METHOD has it; without it, the smallest k, which comes first."""
    is_retrieval = "exact_match" not in measures and "HR@5" in measures
    return ["HR@5", *(name for name in measures if name != "HR@5")] if is_retrieval else measures


def _groups(evaluation: Evaluation) -> list[str]:
    return [answer.group for answer in evaluation.answers]


def _figures(arm: Arm, columns: Sequence[_Columns], measures: Sequence[str], *, seed: int) -> ArmFigures:
    groups = [_groups(evaluation) for evaluation in arm.evaluations]
    first = [column[measures[0]] for column in columns]
    texts = dict.fromkeys(text for evaluation in arm.evaluations for text in evaluation.perplexities)
    return ArmFigures(
        name=arm.name,
        estimates={name: _over([column[name] for column in columns], groups, seed=seed) for name in measures},
        fields=_by_field(arm, first, seed=seed),
        perplexities={text: found for text in texts if (found := _perplexity(arm, text))},
        seeds=tuple(
            SeedFigures(
                folder=evaluation.name,
                means={name: _mean(column[name]) for name in measures},
                steps=evaluation.training.steps,
                drop_rate=evaluation.training.drop_rate,
                leaked=evaluation.leaked,
            )
            for evaluation, column in zip(arm.evaluations, columns, strict=True)
        ),
    )


def _by_field(arm: Arm, values: Sequence[Sequence[float]], *, seed: int) -> dict[str, Estimate]:
    fields = dict.fromkeys(a.field for evaluation in arm.evaluations for a in evaluation.answers if a.field is not None)
    found = {}
    for field in fields:
        strata = []
        for evaluation, of_seed in zip(arm.evaluations, values, strict=True):
            kept = [(v, a.group) for v, a in zip(of_seed, evaluation.answers, strict=True) if a.field == field]
            if kept:
                strata.append(([value for value, _ in kept], [group for _, group in kept]))
        found[field] = over_strata(strata, seed=seed)
    return found


def _perplexity(arm: Arm, text: str) -> Spread | None:
    """None where a seed has none."""
    return spread([evaluation.perplexities.get(text) for evaluation in arm.evaluations])


def _differences(
    columns: dict[str, list[_Columns]],
    groups: Sequence[Sequence[str]],
    references: Sequence[str],
    measures: Sequence[str],
    *,
    seed: int,
) -> Iterator[Difference]:
    for measure in measures:
        for reference in references:
            for arm in columns:
                if arm != reference:
                    pairs = zip(columns[arm], columns[reference], strict=True)
                    values = [_paired(mine[measure], theirs[measure]) for mine, theirs in pairs]
                    yield _difference(arm, reference, measure, _over(values, groups, seed=seed), values)


def _difference(
    arm: str, reference: str, measure: str, found: Estimate, values: Sequence[Sequence[float]]
) -> Difference:
    by_seed = tuple(map(_mean, values))
    return Difference(
        arm=arm,
        reference=reference,
        measure=measure,
        difference=found,
        by_seed=by_seed,
        n_above=sum(one > 0 for one in by_seed),
        over_seeds=t_interval(by_seed),
        word=_word(found, by_seed),
    )


def _word(found: Estimate, by_seed: Iterable[float]) -> Word:
    if found.is_positive and all(one > 0 for one in by_seed):
        return "above"
    if found.is_negative and all(one < 0 for one in by_seed):
        return "below"
    return "not told apart"


def _over(values: Sequence[Sequence[float]], groups: Sequence[Sequence[str]], *, seed: int) -> Estimate:
    return over_strata(zip(values, groups, strict=True), seed=seed)


def _paired(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    return [mine - theirs for mine, theirs in zip(values, reference, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
