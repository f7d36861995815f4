"""What a comparison of arms says: figures of each arm, differences between arms, and both in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from elusive.statistics import Estimate

Word = Literal["above", "below", "not told apart"]


@dataclass(frozen=True, kw_only=True)
class SeedFigures:
    """One seed of an arm.

    Attributes:
        folder: of its evaluation, below what all compared folders have in common.
        means: by measure.
        steps: of the optimizer, where the training is known.
        drop_rate: realised in the copies of the dataset of augment that was trained on, its originals left out, so that
            it says nothing of how many copies there are; None where it was none, or is not known.
        leaked: questions that stand in what the model was trained on, where it is known.
    """

    folder: str
    means: Mapping[str, float]
    steps: int | None
    drop_rate: float | None
    leaked: int | None = None


@dataclass(frozen=True)
class Spread:
    """A figure over seeds: its mean, and how far it goes."""

    mean: float
    lowest: float
    highest: float


@dataclass(frozen=True, kw_only=True)
class ArmFigures:
    """One arm.

    Attributes:
        name: as it was given.
        estimates: by measure: the mean over questions, then over seeds, which weigh the same; intervals are over groups
            of questions (people), drawn again within each seed.
        fields: likewise of the first measure, on the questions of each field.
        perplexities: on other texts, by name, over seeds.
        seeds: in order.
    """

    name: str
    estimates: Mapping[str, Estimate]
    fields: Mapping[str, Estimate]
    perplexities: Mapping[str, Spread]
    seeds: tuple[SeedFigures, ...]

    @property
    def steps(self) -> Spread | None:
        """Of the optimizer; None where a seed's are not known."""
        return spread([seed.steps for seed in self.seeds])

    @property
    def drop_rate(self) -> Spread | None:
        """Of the copies; likewise."""
        return spread([seed.drop_rate for seed in self.seeds])

    @property
    def leaked(self) -> int:
        """Questions that are known to stand in what the models were trained on, counted at each seed."""
        return sum(seed.leaked or 0 for seed in self.seeds)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much higher an arm is than its reference, over the same questions.

    Attributes:
        arm, reference, measure: of what.
        difference: as `ArmFigures.estimates`; a question keeps its two values together when its group is drawn again.
        by_seed: of each seed.
        n_above: seeds in which the arm is higher.
        over_seeds: Student's 95 % interval with seeds as the unit; None with fewer than three.
        word: `above` or `below` where all of the interval over groups, and every seed, says so.
    """

    arm: str
    reference: str
    measure: str
    difference: Estimate
    by_seed: tuple[float, ...]
    n_above: int
    over_seeds: tuple[float, float] | None
    word: Word


@dataclass(frozen=True, kw_only=True)
class ArmsComparison:
    """A comparison.

    Attributes:
        arms: in the order given.
        references: names of the arms that the others are held against.
        measures: what every evaluation has; the first decides: exact match, else HR@5, else the HR@k of the smallest k.
        differences: by measure, then reference, then arm.
        best: the arm with the highest mean of the first measure; of equal ones the first.
        options: by job and option, the value of each arm, where these differ; arms whose value is not known are left
            out, and so are options that differ between the seeds of an arm; of evaluate, these are lists, by seed.
        n_seeds, n_questions, n_groups: of each arm; questions are counted at each seed, a group once.
        verdict: in sentences.
        warnings: what makes the arms hard to compare, in sentences.
    """

    arms: tuple[ArmFigures, ...]
    references: tuple[str, ...]
    measures: tuple[str, ...]
    differences: tuple[Difference, ...]
    best: str
    options: Mapping[str, Mapping[str, Mapping[str, Any]]]
    n_seeds: int
    n_questions: int
    n_groups: int
    verdict: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def headline(self) -> tuple[Difference, ...]:
        """The differences that decide."""
        return tuple(one for one in self.differences if one.measure == self.measures[0])

    @property
    def pairs(self) -> tuple[Difference, ...]:
        """The same, two references against each other only once."""
        once: dict[frozenset[str], Difference] = {}
        for one in self.headline:
            once.setdefault(frozenset((one.arm, one.reference)), one)
        return tuple(once.values())


def spread(values: Sequence[float | None]) -> Spread | None:
    """The spread of values; None where one is not known, or there is none."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return Spread(sum(known) / len(known), min(known), max(known))
