"""A reader's own answers: greedy, and cut at the first line feed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elusive.attention.live import evaluating, pretrained
from elusive.attention.selection import n_layers
from elusive.data.questions import Question
from elusive.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@torch.no_grad()
def generated(
    model: nn.Module, tokenizer: "PreTrainedTokenizerFast", *, prompts: Sequence[NDArray[np.int64]], max_new_tokens: int
) -> list[str]:
    """What a decoder-only model writes after each prompt.

    Args:
        model: with its head.
        tokenizer: its tokenizer.
        prompts: token ids of each.
        max_new_tokens: the most that it may write.
    """
    longest = max(map(len, prompts))
    # Padded on the left, so that every prompt ends where its answer begins.
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    real = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.from_numpy(prompt)
        real[row, longest - len(prompt) :] = 1
    device = pretrained(model).device
    out = _greedy(model, max_new_tokens=max_new_tokens, input_ids=ids.to(device), attention_mask=real.to(device))
    return _answers(tokenizer, out[:, longest:])


@torch.no_grad()
def generated_from(
    model: nn.Module,
    tokenizer: "PreTrainedTokenizerFast",
    *,
    states: torch.Tensor,
    real: torch.Tensor,
    max_new_tokens: int,
) -> list[str]:
    """What an encoder-decoder writes after its encoder's states, [batch, token, width], real where `real` says so."""
    from transformers.modeling_outputs import BaseModelOutput

    encoded = BaseModelOutput(last_hidden_state=states)
    out = _greedy(model, max_new_tokens=max_new_tokens, encoder_outputs=encoded, attention_mask=real.long())
    return _answers(tokenizer, out[:, 1:])


def with_own_answers(questions: Sequence[Question], answers: Sequence[str]) -> list[Question]:
    """Questions whose target is the reader's own answer.

    Raises:
        InputError: an answer that is empty: no row emits it.
    """
    for question, answer in zip(questions, answers, strict=True):
        if not answer:
            raise InputError(f"question {question.id!r}: the reader writes no answer, so no row emits one")
    return [replace(question, target=answer) for question, answer in zip(questions, answers, strict=True)]


def _greedy(model: nn.Module, *, max_new_tokens: int, **inputs: Any) -> torch.Tensor:
    inner = pretrained(model)
    with evaluating(model):
        out: torch.Tensor = inner.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            use_cache=_can_cache(inner),
            # What a checkpoint says of sampling has no part in this, and would be warned of; what it says of repetition
            # would turn down an answer for standing in the prompt.
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=None,
            no_repeat_ngram_size=None,
            min_length=None,
            min_new_tokens=None,
            pad_token_id=_padding(inner.generation_config),
        )
    return out


def _can_cache(model: "PreTrainedModel") -> bool:
    """Whether `generate` makes a cache for every layer: of T5, it counts the encoder's."""
    return n_layers(model.config) <= int(model.config.get_text_config(decoder=True).num_hidden_layers)


def _padding(config: Any) -> int:
    """Any valid id; what follows the end of an answer is cut off with it."""
    eos = config.eos_token_id
    first = eos[0] if isinstance(eos, list) else eos
    found = config.pad_token_id if config.pad_token_id is not None else first
    return 0 if found is None else int(found)


def _answers(tokenizer: "PreTrainedTokenizerFast", ids: torch.Tensor) -> list[str]:
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    return [text.partition("\n")[0].strip() for text in texts]
