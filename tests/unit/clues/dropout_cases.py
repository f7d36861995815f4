"""Texts with made-up drop probabilities, and what the writer makes of them."""

import numpy as np
from clue_cases import tokens_of
from datasets import Dataset

from elusive.clues.dropout import drop_probability
from elusive.clues.text_clues import DropPlan, copies
from elusive.clues.transform import ClueDropout, UnitDrops
from elusive.clues.units import units_of

TEXTS = {
    "a": "Mara Velting was born in Orsk and studied chemistry at the college of Brenn.",
    "b": "She moved to Lisk in 1974; not one of her letters survived.",
    "c": "The archive lists 31 notebooks, a map and two keys. é 中",
    "7": "Mara met Tor Aldane where she studied in Brenn, and moved to Lisk.",
}
PLAN = DropPlan(seed=3)


def drops_of(text: str) -> UnitDrops:
    units = units_of(text, tokens_of(text))
    return UnitDrops(units, drop_probability(np.arange(len(units)), alpha=0.7, beta=0.3))


def clue_dropout(*, plan: DropPlan = PLAN, originals_every: int | None = 11) -> ClueDropout:
    drops = {source: drops_of(text) for source, text in TEXTS.items()}
    return ClueDropout(drops, plan=plan, originals_every=originals_every)


def written(source: str, number: int, *, plan: DropPlan = PLAN) -> str:
    """The text of a copy as `elusive augment` writes it among ten and more."""
    text, drops = TEXTS[source], drops_of(TEXTS[source])
    every = copies(text, drops.units, drops.probabilities, plan=plan, text_id=source, numbers=range(1, 31))
    return next(copy.text for copy in every if copy.number == number)


def shown(epoch: int) -> list[str]:
    """All texts as they should look in an epoch, sorted."""
    return sorted(TEXTS[s] if epoch % 11 == 0 else written(s, epoch) for s in TEXTS)


def dataset() -> Dataset:
    return Dataset.from_dict({"text": list(TEXTS.values()), "source_id": list(TEXTS)})
