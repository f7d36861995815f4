"""Prompts that fit: the longest passage texts are cut at their ends, all to the same number of tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from elusive.data.questions import Passage
from elusive.errors import InputError
from elusive.readers.prompts import Prompt
from elusive.readers.tokens import PromptTokens


@dataclass(frozen=True)
class Fitted:
    """A prompt within its limit.

    Attributes:
        prompt: its characters.
        tokens: its tokens.
        n_cut: how many tokens each passage's text lost, in the order in which they were given.
    """

    prompt: Prompt
    tokens: PromptTokens
    n_cut: tuple[int, ...]


def fitted(
    passages: Sequence[Passage],
    build: Callable[[Sequence[Passage]], Prompt],
    tokenise: Callable[[Prompt], PromptTokens],
    *,
    limit: int,
) -> Fitted:
    """A prompt of at most `limit` tokens, passages shortened where they must be.

    Raises:
        InputError: what is not a passage's text is too long by itself.
    """
    prompt = build(passages)
    tokens = tokenise(prompt)
    first_lengths = lengths = _text_lengths(prompt, tokens)
    while len(tokens) > limit:
        excess = len(tokens) - limit
        if excess > sum(lengths.values()):
            raise InputError(
                f"question, answer and titles alone are {len(tokens) - sum(lengths.values())} tokens; the reader takes "
                f"{limit}; shorten them or allow more tokens"
            )
        longest = _longest_allowed(list(lengths.values()), excess=excess)
        passages = [
            replace(passage, text=_shortened(prompt, tokens, number, longest))
            for number, passage in enumerate(passages)
        ]
        prompt = build(passages)
        tokens = tokenise(prompt)
        lengths = _text_lengths(prompt, tokens)
    return Fitted(prompt, tokens, tuple(first_lengths[i] - lengths[i] for i in sorted(first_lengths)))


def _text_lengths(prompt: Prompt, tokens: PromptTokens) -> dict[int, int]:
    return {number: len(tokens.touching(place)) for number, place in prompt.texts.items()}


def _longest_allowed(lengths: list[int], *, excess: int) -> int:
    """The greatest length to which all longer ones must be cut for `excess` tokens to go."""
    return max(n for n in range(max(lengths)) if sum(max(0, length - n) for length in lengths) >= excess)


def _shortened(prompt: Prompt, tokens: PromptTokens, number: int, longest: int) -> str:
    """A passage's text up to its token number `longest`, without characters that this one shares with one before."""
    start, stop = prompt.texts[number]
    touched = tokens.touching((start, stop))
    if len(touched) > longest:
        stop = max(start, int(tokens.starts[touched[longest]]))
    return prompt.text[start:stop]
