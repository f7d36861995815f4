"""What a comparison of models says: figures of each model, of each pair, and of the pairs among themselves.

The figures say what a pair costs and how alike two pairs rank tokens. They do not say which pair teaches better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from elusive.jobs.measuring import ScoringCost
from elusive.statistics import Estimate

_ALIKE = ((0.9, "much as {} does"), (0.5, "partly as {} does"), (-0.5, "unlike {}"), (-1.0, "largely in reverse of {}"))
"""What to call a ρ of at least so much."""
_NEARLY_ONE = 0.95
_POSITION = 0.2
"""An AUC that is farther from .5 than this is reported."""


@dataclass(frozen=True, kw_only=True)
class ModelFigures:
    """One model on the sample. With an `error`, nothing else is known.

    Attributes:
        name: as it was given, with its revision.
        error: why it is left out.
        tokenizer: fingerprint of what its tokenizer does, equal for equal tokenizers of any name.
        tokens: of the sample.
        tokens_per_text, tokens_per_char: of the sample, on average.
        sink_mass: mean attention to the prefix, under the window of its first pair.
        prefix: which token that is.
        displaced_sinks: tokens of the sample that are attention sinks in place of the prefix.
        last_auc: the probability that one of a text's last ten tokens receives more than another token; where it is
            near 1, received attention alone measures position.
        cost: memory and speed under that window; None where its scores were there already.
    """

    name: str
    error: str | None = None
    tokenizer: str | None = None
    tokens: int | None = None
    tokens_per_text: float | None = None
    tokens_per_char: float | None = None
    sink_mass: float | None = None
    prefix: str | None = None
    displaced_sinks: int | None = None
    last_auc: Estimate | None = None
    cost: ScoringCost | None = None


@dataclass(frozen=True, kw_only=True)
class PairCost:
    """What scoring with both models of a pair takes.

    Attributes:
        seconds_per_million_tokens: a million of the large model's tokens, scored by both.
        corpus_seconds: the whole corpus, by its characters; the loading included.
        peak_bytes: the larger of the two peaks; the models are loaded one after the other.
    """

    seconds_per_million_tokens: float
    corpus_seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class PairFigures:
    """One pair on the sample. With an `error`, nothing else is known.

    Attributes:
        large, small: positions of its models in `CompareModelsResult.models`.
        error: why it is left out.
        window: tokens per window, for both models, as `augment` would take it.
        same_tokenizer: by what the tokenizers do, not by their names.
        aligned: share of texts whose tokens differ, so that scores are projected by characters.
        large_small: Spearman's ρ of the two models' received attention; near 1 the contrast has little to say. Where a
            token stands accounts for much of what it receives, in every model.
        silent: texts whose contrast is the same for all tokens, and ranks nothing.
        first_auc, last_auc: the probability that the contrast of one of a text's first or last ten tokens is above
            another's: .5 where position says nothing.
        cost: under this window; None where a model's scores were there already.
    """

    large: int
    small: int
    error: str | None = None
    window: int | None = None
    same_tokenizer: bool | None = None
    aligned: float | None = None
    large_small: Estimate | None = None
    silent: int | None = None
    first_auc: Estimate | None = None
    last_auc: Estimate | None = None
    cost: PairCost | None = None


@dataclass(frozen=True, kw_only=True)
class CompareModelsResult:
    """A comparison.

    Attributes:
        texts, chars, rejected: of the corpus.
        sample_texts, sample_chars: of what was drawn from it.
        models: in order of first appearance.
        pairs: in the order given.
        contrasts: Spearman's ρ of the contrasts of each two pairs, on the tokens of the first usable pair's large
            model; None where one of them has an error.
        top_tenth: likewise, the share of the ⌈n / 10⌉ strongest clues of a text that both pairs name; by chance it is
            ⌈n / 10⌉ / n.
        summary: the figures in plain words.
    """

    texts: int
    chars: int
    rejected: int
    sample_texts: int
    sample_chars: int
    models: tuple[ModelFigures, ...]
    pairs: tuple[PairFigures, ...]
    contrasts: tuple[tuple[Estimate | None, ...], ...]
    top_tenth: tuple[tuple[Estimate | None, ...], ...]
    summary: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class PairPlan:
    """A pair that would be compared: its models, their common window, or why it cannot be."""

    large: str
    small: str
    window: int | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class CompareModelsPlan:
    """What a comparison would do.

    Attributes:
        texts, chars, rejected: of the corpus.
        sample_texts, sample_chars: of what is drawn from it.
        to_score: texts without a score, by model; one that is asked for under two windows is scored under both.
        left_out: what is wrong with the models that cannot be used, as far as it shows before they are loaded.
        pairs: in the order given.
    """

    texts: int
    chars: int
    rejected: int
    sample_texts: int
    sample_chars: int
    to_score: Mapping[str, int]
    left_out: Mapping[str, str]
    pairs: tuple[PairPlan, ...]


def cost_of_pair(large: ModelFigures, small: ModelFigures, *, n_chars: int) -> PairCost | None:
    """The cost of scoring a corpus of `n_chars` code points with both models; None where one's is not known."""
    both = {side.name: side for side in (large, small)}.values()  # a model with itself is scored once
    costs = [side.cost for side in both if side.cost]
    if len(costs) < len(both) or not large.tokens_per_char:
        return None
    per_char = sum(
        (side.tokens_per_char or 0.0) * cost.seconds_per_token for side, cost in zip(both, costs, strict=True)
    )
    return PairCost(
        seconds_per_million_tokens=1e6 / large.tokens_per_char * per_char,
        corpus_seconds=n_chars * per_char + sum(cost.loading_seconds for cost in costs),
        peak_bytes=max(cost.peak_bytes for cost in costs),
    )


def in_words(
    pairs: Sequence[PairFigures],
    contrasts: Sequence[Sequence[Estimate | None]],
    top_tenth: Sequence[Sequence[Estimate | None]],
) -> tuple[str, ...]:
    """What the figures say, a sentence a pair, and what they do not."""
    usable = [i for i, pair in enumerate(pairs) if pair.error is None]
    sentences = [sentence for i in usable if (sentence := _of_one(i, pairs[i]))]
    first = usable[0]
    for i in usable[1:]:
        ranks, top = contrasts[first][i], top_tenth[first][i]
        if ranks and top and ranks.mean is not None:
            sentences.append(_of_two(first, i, pairs, ranks, top))
    unmeasured = [str(i + 1) for i in usable if pairs[i].cost is None]
    if unmeasured:
        which = f"pair{'s' * (len(unmeasured) > 1)} {', '.join(unmeasured)}"
        sentences.append(f"The cost of {which} is not known: scores that were there already were not measured again.")
    return (*sentences, "None of these figures says which pair teaches a model better; measure that on your own task.")


def _of_one(i: int, pair: PairFigures) -> str | None:
    agreement = pair.large_small
    if agreement and pair.silent == agreement.n + agreement.left_out:
        return f"Pair {i + 1}: both models give every token the same score, so that the contrast ranks nothing."
    if agreement and agreement.mean is not None and agreement.mean >= _NEARLY_ONE:
        near = f"its two models rank tokens nearly alike (ρ {agreement.mean:.2f})"
        return f"Pair {i + 1}: {near}; little is left to contrast."
    return _of_position(i, pair)


def _of_position(i: int, pair: PairFigures) -> str | None:
    """A warning where the contrast of a text's first or last tokens is mostly above, or mostly below, the others'."""
    for where, auc in (("first", pair.first_auc), ("last", pair.last_auc)):
        if auc and auc.mean is not None and abs(auc.mean - 0.5) > _POSITION:
            return (
                f"Pair {i + 1}: its contrast measures position: one of a text's {where} ten tokens is above another "
                f"token with probability {auc.mean:.2f}, where .5 is chance; compare --contrast geometric, or take a "
                "guide of surprisal."
            )
    return None


def _of_two(first: int, i: int, pairs: Sequence[PairFigures], ranks: Estimate, top: Estimate) -> str:
    assert ranks.mean is not None
    other = f"pair {first + 1}"
    words = next(words for at_least, words in _ALIKE if ranks.mean >= at_least).format(other)
    here, there = pairs[i].cost, pairs[first].cost
    share = here.corpus_seconds / there.corpus_seconds if here and there else None
    time = f"takes {share:.2f} of the time of {other} for the corpus and " if share else ""
    interval = f", 95 % {ranks.low:.2f} to {ranks.high:.2f}" if ranks.low is not None else ""
    shared = f"; {top.mean:.2f} of the top tenth in common" if top.mean is not None else ""
    return f"Pair {i + 1} {time}ranks tokens {words} (ρ {ranks.mean:.2f}{interval}{shared})."
