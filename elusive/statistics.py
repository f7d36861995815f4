"""Means over examples with their bootstrap intervals, paired differences, and Spearman's ρ.

The one place where an interval is made, for every figure that is a mean over texts or questions: these are what is
drawn again, since values inside one of them are not independent. Knows neither models nor files. An interval costs
1,000 draws of as many values as there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.errors import OptionError

_RESAMPLES: Final = 1000
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
