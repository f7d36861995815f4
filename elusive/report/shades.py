"""How strongly a score is shaded: seven steps, by the names that style.css has for them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 6


def top_of(values: NDArray[np.float64]) -> float:
    """The value of the strongest shade: few scores are far above the rest, which would all be pale beside them."""
    known = np.abs(values[~np.isnan(values)])
    return float(np.quantile(known, 0.95)) if len(known) else 0.0


def shade(value: float, top: float) -> str:
    """The class of a value's shade; of NaN, the hatching of what has no score."""
    if value != value:
        return "none"
    level = round(min(abs(value) / top, 1.0) * LEVELS) if top > 0 else 0
    return f"{'minus' if value < 0 and level else 'plus'}{level}"
