"""Whether a plan has steps enough to teach a model anything. A rule of thumb, said plainly; it stops nothing."""

from typing import Final

FEW_STEPS: Final = 100
"""Below so many optimizer steps a rate of 5e-4 moves an adapter hardly at all."""

FEW_SHOWINGS: Final = 5
"""A text that is seen less often is not remembered: the papers' runs show each 20 times and more."""


def too_little(*, steps: int, showings: float) -> tuple[str, ...]:
    """What speaks against a training, a line each; nothing for most.

    Args:
        steps: optimizer steps.
        showings: how often each text is shown, whole or as a copy, on average.
    """
    found = []
    if steps < FEW_STEPS:
        found.append(
            f"{steps:,} optimizer steps are too few to learn anything; expected {FEW_STEPS} at least: raise --epochs "
            "or --steps, or lower --batch-size"
        )
    if showings < FEW_SHOWINGS:
        found.append(
            f"each text is seen {showings:.1f} times, too seldom to be remembered; expected {FEW_SHOWINGS} at least: "
            "raise --epochs or --steps"
        )
    return tuple(found)
