"""Which layers and heads of a model are averaged over; needs its config alone."""

from collections.abc import Sequence

from transformers import PreTrainedConfig

from elusive.errors import OptionError


def resolve_selection(
    config: PreTrainedConfig, *, layers: Sequence[int] | None, heads: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Layers and heads of a model, in order and counted from 0.

    Raises:
        OptionError: layers or heads that the model does not have.
    """
    return (
        _resolve(layers, n_layers(config), "layers"),
        None if heads is None else _resolve(heads, _n_heads(config), "heads"),
    )


def n_layers(config: PreTrainedConfig) -> int:
    """How many decoder layers a model has."""
    return _decoder_count(config, "decoder_layers", "num_decoder_layers", "num_hidden_layers")


def _n_heads(config: PreTrainedConfig) -> int:
    return _decoder_count(config, "decoder_attention_heads", "num_attention_heads")


def _decoder_count(config: PreTrainedConfig, *names: str) -> int:
    # BART's and T5's relatives count a decoder's parts apart; under the plain names, the last, stand their encoder's.
    text = config.get_text_config()
    return int(next(count for name in names if (count := getattr(text, name, None)) is not None))


def _resolve(chosen: Sequence[int] | None, n: int, what: str) -> tuple[int, ...]:
    if chosen is None:
        return tuple(range(n))
    resolved = sorted({c + n if c < 0 else c for c in chosen})
    if not resolved or resolved[0] < 0 or resolved[-1] >= n:
        raise OptionError(f"{what} {list(chosen)} are not all among the model's {what} 0 to {n - 1}")
    return tuple(resolved)
