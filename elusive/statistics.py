"""Means over examples or groups of them with their bootstrap intervals, paired differences, and Spearman's ρ.

The one place where an interval is made, for every figure that is a mean over texts, questions or people: these are
what is drawn again, since values inside one of them are not independent. Knows neither models nor files. An interval
costs 1,000 draws of as many values as there are.
"""

import copy
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.errors import OptionError

_RESAMPLES: Final = 1000
_NUMBERS_AT_ONCE: Final = 2**15  # what stays in the cache is drawn faster; the draws are the same
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over examples, and how sure it is.

    Attributes:
        mean: over the examples where the value is defined; None where there is none.
        sd: standard deviation of these values, n - 1 below; None with fewer than two.
        low, high: bootstrap 95 % interval of the mean; None with fewer than two.
        n: how many it was averaged over.
        left_out: examples where the value is not defined.
    """

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    n: int
    left_out: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both bounds, where there are any."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def is_positive(self) -> bool:
        """Whether all of the interval is above 0, by more than rounding."""
        return self.low is not None and self.low > _ROUNDING

    @property
    def is_negative(self) -> bool:
        """Whether all of the interval is below 0, likewise."""
        return self.high is not None and self.high < -_ROUNDING


def over_examples(values: Iterable[float], *, seed: int = 0) -> Estimate:
    """Mean, standard deviation and bootstrap interval (percentiles) of a value over examples.

    Args:
        values: one for each example; NaN where it is not defined.
        seed: of the resampling.
    """
    given = np.array(list(values), dtype=np.float64)
    defined = given[~np.isnan(given)]
    mean = float(defined.mean()) if len(defined) else None
    sd = low = high = None
    if len(defined) > 1:
        sd = float(defined.std(ddof=1))
        rng = np.random.default_rng(seed)
        means = [rng.choice(defined, size=len(defined)).mean() for _ in range(_RESAMPLES)]
        low, high = (float(bound) for bound in np.percentile(means, (2.5, 97.5)))
    return Estimate(mean=mean, sd=sd, low=low, high=high, n=len(defined), left_out=len(given) - len(defined))


def over_groups(values: Sequence[float], groups: Sequence[Hashable], *, seed: int = 0) -> Estimate:
    """Mean of all values, and an interval for which whole groups are drawn again: all questions on a person at once.

    Groups of one value each give what `over_examples` gives. A group weighs as much as it has values, in each draw too.

    Args:
        values: NaN where it is not defined.
        groups: which group each value is of.
        seed: of the resampling.

    Returns:
        `sd`, `n` and `left_out` are of the values; no interval where fewer than two groups have any.

    Raises:
        OptionError: not as many groups as values.
    """
    found = _over_means([_sums_of_groups(values, groups)], seed=seed)
    defined = [value for value in values if not np.isnan(value)]
    sd = float(np.std(defined, ddof=1)) if len(defined) > 1 else None
    return replace(found, sd=sd, left_out=len(values) - found.n)


def over_sums(sums: NDArray[np.floating], counts: NDArray[np.integer], *, seed: int = 0) -> Estimate:
    """As `over_groups`, of groups of which only the sum and the number of their values are known.

    Args:
        sums: [group], without NaN.
        counts: [group], each at least 1.
        seed: of the resampling.

    Returns:
        `n` is the number of values; `sd` is not known.
    """
    return _over_means([(sums, counts, ())], seed=seed)


def over_strata(strata: Iterable[tuple[Sequence[float], Sequence[Hashable]]], *, seed: int = 0) -> Estimate:
    """The mean of several means that weigh the same, as of runs that differ in their seed.

    Groups are drawn again within each stratum, as in `over_groups`, which is this with one stratum. Strata of the very
    same groups, in the same order, share each draw: the same people asked of several models are no more people for it.
    So the interval says what other groups might have given, and nothing of another stratum: `t_interval` of the
    strata's means does.

    Args:
        strata: values, NaN where not defined, and the group of each.
        seed: of the resampling.

    Returns:
        `n` and `left_out` are of the values of all strata; `sd` is not known. No mean where a stratum has none, and no
        interval where one has fewer than two groups.

    Raises:
        OptionError: not as many groups as values.
    """
    given = [(values, groups) for values, groups in strata]
    found = _over_means([_sums_of_groups(values, groups) for values, groups in given], seed=seed)
    return replace(found, left_out=sum(len(values) for values, _ in given) - found.n)


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean of a few values, as of a difference in each of some seeds.

    Args:
        values: without NaN; taken to be normal, which so few cannot show.

    Returns:
        None with fewer than three: of two it is 13 times as wide as they are apart.
    """
    from scipy.stats import t

    n = len(values)
    if n < 3:
        return None
    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    mean = float(np.mean(values))
    return mean - half, mean + half


def paired_difference(values: Sequence[float], reference: Sequence[float], *, seed: int = 0) -> Estimate:
    """How much larger a value is than its reference, over the examples that have both.

    An example keeps its two values together when it is drawn again, so that what makes examples easy or hard cancels.

    Args:
        values: one for each example; NaN where it is not defined.
        reference: of the same examples, in the same order.
        seed: of the resampling.

    Raises:
        OptionError: of different lengths.
    """
    if len(values) != len(reference):
        raise OptionError(f"{len(values)} values and {len(reference)} of the reference; expected the same examples")
    return over_examples(np.asarray(values, np.float64) - np.asarray(reference, np.float64), seed=seed)


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Spearman's ρ of two scores of the same things, equal scores at their mean rank.

    Args:
        a: [thing], without NaN.
        b: [thing], likewise.

    Returns:
        NaN where either is the same for all of them, or there are fewer than two.
    """
    from scipy.stats import rankdata

    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    ranks = np.corrcoef(rankdata(a), rankdata(b))
    return float(np.clip(ranks[0, 1], -1, 1))


_Sums = tuple[NDArray[np.floating], NDArray[np.integer], tuple[Hashable, ...]]
"""Sum and number of the values of each group, and which groups these are."""


def _sums_of_groups(values: Sequence[float], groups: Sequence[Hashable]) -> _Sums:
    """Of the values that are defined; a group without any is left out."""
    if len(values) != len(groups):
        raise OptionError(f"{len(values)} values and {len(groups)} groups; expected the group of each value")
    given = np.asarray(values, dtype=np.float64)
    is_defined = ~np.isnan(given)
    numbers: dict[Hashable, int] = {}
    numbered = (numbers.setdefault(g, len(numbers)) for g, kept in zip(groups, is_defined, strict=True) if kept)
    places = np.fromiter(numbered, dtype=np.intp)
    sums = np.bincount(places, given[is_defined], len(numbers)).astype(np.float64)
    return sums, np.bincount(places, None, len(numbers)), tuple(numbers)


def _over_means(strata: Sequence[_Sums], *, seed: int) -> Estimate:
    """The mean of the strata's means, and its interval; `left_out` and `sd` are not known."""
    mean = low = high = None
    if strata and all(len(sums) for sums, *_ in strata):
        mean = float(np.mean([sums.sum() / counts.sum() for sums, counts, _ in strata]))
    if strata and all(len(sums) > 1 for sums, *_ in strata):
        rng = np.random.default_rng(seed)
        met: dict[tuple[Hashable, ...], np.random.Generator] = {}
        means = []
        for sums, counts, groups in strata:
            draws = copy.deepcopy(met[groups]) if groups in met else rng
            met.setdefault(groups, copy.deepcopy(rng))  # as it is before these groups are drawn
            means.append(_drawn_means(sums, counts, draws))
        low, high = (float(bound) for bound in np.percentile(np.mean(means, axis=0), (2.5, 97.5)))
    n = sum(int(counts.sum()) for _, counts, _ in strata)
    return Estimate(mean=mean, sd=None, low=low, high=high, n=n, left_out=0)


def _drawn_means(
    sums: NDArray[np.floating], counts: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.floating]:
    """The mean of each draw of as many groups as there are."""
    n, at_once = len(sums), max(1, _NUMBERS_AT_ONCE // len(sums))
    sizes = [min(at_once, _RESAMPLES - start) for start in range(0, _RESAMPLES, at_once)]
    draws = (rng.integers(0, n, (size, n)) for size in sizes)
    return np.concatenate([sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1) for drawn in draws])
