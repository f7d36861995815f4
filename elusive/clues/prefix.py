"""The token that precedes each text while it is scored: it must take the attention sink, or a word of the text does.

Decoders give a large share of their attention to one position, whatever stands there. Where the prefix is not that
position (Qwen2.5 0.5B gives `<|endoftext|>` 3 % and a newline 38 %), the sink falls on the first word or full stop, is
scored and ranked, and moves with the precision. So the prefix is measured: a few reference texts, each candidate in
front of them, a few short forward passes each. It depends on the model alone, never on the corpus.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from elusive.attention.probe import watch
from elusive.attention.windows import score_texts
from elusive.choices import PrefixName
from elusive.clues.predictions import predict_texts
from elusive.data.atomic import write_json
from elusive.errors import ModelError
from elusive.tokenization import TextTokenizer

if TYPE_CHECKING:
    from torch import nn

PREFIX_VERSION: Final = 1
"""Increase when the same model would be given another prefix than before."""

_MARGIN: Final = 0.05
"""Sinks (as shares of attention) and losses (in nats per token) closer than this count as equal."""

REFERENCE_TEXTS: Final = (
    "The library on Mill Street opens at nine. It was built in 1911 by a grain merchant who never learned to read, "
    "and its clock has been four minutes slow ever since.",
    "To change the filter, switch the pump off and close both valves. Lift the lid, turn the cartridge to the left, "
    "and rinse the seal under cold water before you put the new one in.",
    "Dana Whitlock studied chemistry in Leeds and worked for a dye company until 1987. After that she taught at a "
    "school in Aberdeen, where her students remember her for her patience.",
    "If the queue is empty, the worker sleeps until a message arrives; otherwise it takes the oldest one, handles it, "
    "and writes the result to the log.",
)
"""Ordinary English prose, so that every model is measured on the same words."""


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """A token that can precede texts.

    Attributes:
        name: `bos`, `eos`, `newline` or `chat`.
        token_id: the token.
        token: its text.
        sink: share of all attention that goes to it; None where it was not measured.
        loss: mean surprisal of the tokens after it, in nats; likewise.
    """

    name: PrefixName
    token_id: int
    token: str
    sink: float | None = None
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class PrefixChoice:
    """The prefix of a model, and all that it was chosen from.

    Attributes:
        chosen: the prefix.
        measured: every candidate, in order of preference where they are equal; empty where the prefix was named.
    """

    chosen: Prefix
    measured: tuple[Prefix, ...] = ()

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """What `write` wrote; None where it is absent or damaged."""
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            return cls(chosen=Prefix(**record["chosen"]), measured=tuple(Prefix(**one) for one in record["measured"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, file: Path) -> None:
        """Keep the choice, so that later runs load no model for it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(self))


def candidates(tokenizer: TextTokenizer) -> dict[PrefixName, Prefix]:
    """The tokens that can precede a text, in order of preference; those that the tokenizer lacks are left out."""
    ids: Mapping[PrefixName, int | None] = {
        "bos": tokenizer.bos_id,
        "eos": tokenizer.eos_id,
        "newline": tokenizer.newline_id,
        "chat": tokenizer.chat_start_id,
    }
    return {
        name: Prefix(name=name, token_id=token_id, token=tokenizer.token_of(token_id))
        for name, token_id in ids.items()
        if token_id is not None
    }


def named(tokenizer: TextTokenizer, name: PrefixName) -> PrefixChoice:
    """The prefix that the user asked for.

    Raises:
        ModelError: the tokenizer has no such token.
    """
    known = candidates(tokenizer)
    if name not in known:
        there = ", ".join(known) or "none of them"
        raise ModelError(f"the tokenizer of {tokenizer.name} has no token for --prefix {name}; it has {there}")
    return PrefixChoice(chosen=known[name])


def choose(measured: Sequence[Prefix]) -> PrefixChoice:
    """The prefix with the largest sink; among those with nearly as large a one, the lowest loss; then the first.

    Args:
        measured: candidates with `sink` and `loss`, the preferred ones first.
    """
    largest = max(one.sink or 0.0 for one in measured)
    sinks = [one for one in measured if (one.sink or 0.0) >= largest - _MARGIN]
    lowest = min(one.loss or 0.0 for one in sinks)
    chosen = next(one for one in sinks if (one.loss or 0.0) <= lowest + _MARGIN)
    return PrefixChoice(chosen=chosen, measured=tuple(measured))


def measured_prefix(model: "nn.Module", tokenizer: TextTokenizer) -> PrefixChoice:
    """Try every candidate before the reference texts, and choose.

    Args:
        model: a decoder-only causal LM; without a head, all losses are alike and the sinks decide.
        tokenizer: the model's.

    Raises:
        ModelError: the tokenizer has no token to put before a text.
    """
    known = {one.token_id: one for one in reversed(candidates(tokenizer).values())}
    if not known:
        raise ModelError(f"the tokenizer of {tokenizer.name} has neither BOS, EOS nor a newline to put before a text")
    encoded = tokenizer.encode(REFERENCE_TEXTS, names=[f"reference {n}" for n in range(len(REFERENCE_TEXTS))])
    texts = [tokens.ids for tokens in encoded]
    longest = max(map(len, texts)) + 1
    measured = []
    for one in reversed(known.values()):  # a token with two names goes by the first
        with watch(model) as probe:
            seen = score_texts(probe, texts, first=one.token_id, window=longest, batch_tokens=longest)
        predicted = predict_texts(model, texts, first=one.token_id, window=longest, batch_tokens=longest)
        sink = sum(text.sink for text in seen) / sum(text.rows for text in seen)
        loss = float(np.concatenate([text.surprisal for text in predicted]).mean(dtype=np.float64))
        measured.append(
            Prefix(name=one.name, token_id=one.token_id, token=one.token, sink=round(sink, 4), loss=round(loss, 4))
        )
    return choose(measured)
