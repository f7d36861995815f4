"""How many tokens a reader takes: what is asked for, within what its model was made for.

A model that computes positions (rotary, relative) may be given more than it was made for, at its user's risk. One that
looks them up has no more than its table, and must not be asked for them: on a GPU that would end the process.
"""

from typing import Final

from torch import nn
from transformers import PreTrainedModel

from elusive.attention.live import name_of
from elusive.errors import OptionError
from elusive.models import context_len

_MOST_SPARE_ROWS: Final = 2
"""A table of positions may have rows before the first (BART, OPT)."""


def n_learnt_positions(model: PreTrainedModel) -> int | None:
    """How many positions a model has in a table; None where it computes them."""
    context, width = context_len(model.config), model.config.get_text_config().hidden_size
    words = model.get_input_embeddings().weight
    has_table = any(
        isinstance(part, nn.Embedding)
        and part.weight is not words
        and part.embedding_dim == width
        and 0 <= part.num_embeddings - context <= _MOST_SPARE_ROWS
        for part in model.modules()
    )
    return context if has_table else None


def input_limit(model: PreTrainedModel, *, asked: int | None, usual: int | None = None) -> int:
    """The most tokens of one input.

    Args:
        model: whose input it is.
        asked: what the user wants.
        usual: what is taken where the user says nothing; None is all that the model was made for.

    Raises:
        OptionError: more than the model has positions.
    """
    if asked is None:
        context = context_len(model.config)
        return context if usual is None else min(usual, context)
    check_positions(model, "max_tokens", asked)
    return asked


def check_positions(model: PreTrainedModel, option: str, value: int) -> None:
    """Refuse what a model has no positions for.

    Raises:
        OptionError: more than the model has positions.
    """
    n_positions = n_learnt_positions(model)
    if n_positions is not None and value > n_positions:
        raise OptionError(f"{option} {value} is more than the {n_positions} positions that {name_of(model)} has learnt")
