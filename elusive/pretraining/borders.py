"""Whether a model keeps apart what a batch wants kept apart: packed texts, or tokens that are hidden.

Models differ in what they read from masks and positions, and a leak would pass unnoticed. So it is tried: batches that
differ only in what must not be seen have to give the same logits everywhere else. Costs two passes over two short rows.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from elusive.errors import OptionError
from elusive.pretraining.batches import NO_CACHE, Collator
from elusive.pretraining.rows import Row

if TYPE_CHECKING:
    from torch import nn

_IDS: Final = (3, 4, 5, 6, 7, 8)
_TOLERANCE: Final = 1e-4


def check_packing(model: "nn.Module", name: str) -> None:
    """Refuse a model whose packed texts see one another.

    Raises:
        OptionError: they do, or it takes no positions.
    """
    positions = np.array([0, 1, 2, 0, 1, 2], dtype=np.int32)
    if not _is_blind(model, Row(_ids(), None, positions), unseen=slice(0, 3)):
        raise OptionError(f"{name} lets packed texts see one another; leave --packing out")


def check_hiding(model: "nn.Module", name: str) -> None:
    """Refuse a model whose tokens see what is hidden.

    Raises:
        OptionError: they do, or it takes no positions.
    """
    hidden = np.array([False, False, True, False, False, False])
    if not _is_blind(model, Row(_ids(), hidden), unseen=slice(2, 3)):
        raise OptionError(f"{name} sees tokens that are hidden from it; take --drop-by delete")


def _ids() -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    return np.array(_IDS, dtype=np.int32)


def _is_blind(model: "nn.Module", row: Row, *, unseen: slice) -> bool:
    """Whether other tokens in the unseen places change nothing elsewhere."""
    # Two rows: with flash attention, borders are found in a single one alone.
    batch = Collator(pad=0, packed=row.positions is not None, hides=row.hidden is not None)([row, row])
    del batch["labels"]
    device = next(model.parameters()).device
    inputs = {name: tensor.to(device) for name, tensor in batch.items()}
    others = inputs["input_ids"].clone()
    others[:, unseen] = 1
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits, changed = (
                model(**inputs | {"input_ids": ids}, **NO_CACHE).logits for ids in (inputs["input_ids"], others)
            )
    except TypeError:  # it has no such input
        return False
    finally:
        model.train(was_training)
    logits[:, unseen] = changed[:, unseen] = 0
    return torch.allclose(logits, changed, rtol=0, atol=_TOLERANCE)
