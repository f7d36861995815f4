"""Scores a staged corpus with one model, a chunk at a time, into a score store.

A chunk's scores appear whole; batches are cut inside a chunk. So what is computed does not depend on where an earlier
run was stopped. The model is loaded only if a text has no score yet; its prefix is then measured, once, and the model
is released when the stage is over.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elusive import models
from elusive.attention.probe import Probe, watch
from elusive.attention.windows import TextScores, score_texts
from elusive.choices import Impl, PrefixName, RowWeighting
from elusive.clues.alignment import project
from elusive.clues.guides import Quantity
from elusive.clues.predictions import TextPredictions, predict_texts
from elusive.clues.prefix import PREFIX_VERSION, Prefix, PrefixChoice, measured_prefix, named
from elusive.clues.score_store import PredictionKey, ScoreKey, ScoreStore
from elusive.data.staging import Staged
from elusive.data.texts import Text
from elusive.models import ModelSource
from elusive.progress import Advance, Progress
from elusive.tokenization import TextTokenizer, TokenizedText

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OnTokens = Callable[[int], None]
"""Called with the number of tokens just scored."""


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How texts are scored, the same for both models.

    Attributes:
        layers: decoder layers to average over; None is all.
        heads: query heads to average over; None is all.
        renormalise: weight rows without the sink.
        impl: see `elusive.choices.Impl`.
        prefix: the token that precedes each window; `auto` is measured per model.
        window: tokens per window, the prefix included.
        batch_tokens: padded tokens per forward pass.
    """

    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    renormalise: bool = False
    impl: Impl = "auto"
    prefix: PrefixName = "auto"
    window: int = 2048
    batch_tokens: int = 8192


@dataclass(frozen=True, eq=False)
class Scorer:
    """One model's side of a run: its tokenizer, its place in the store, and its weights when they are needed.

    Attributes:
        source: the model.
        options: how texts are scored.
        store_folder: the score store.
        progress: where damage to the store is reported.
        row_weights: how much rows count in received attention; None counts all alike.
    """

    source: ModelSource
    options: ScoringOptions
    store_folder: Path
    progress: Progress
    row_weights: "RowWeights | None" = None

    def __getstate__(self) -> dict[str, object]:
        # What was made on demand is made again in another process: open stores do not travel.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """The model's tokenizer."""
        return TextTokenizer(models.load_tokenizer(self.source), name=self.source.name)

    @cached_property
    def fingerprint(self) -> str:
        """The model's weights by name."""
        return models.fingerprint(self.source)

    @property
    def prefix_choice(self) -> PrefixChoice | None:
        """The prefix and what it was chosen from; None while the model has not been measured."""
        if self.options.prefix != "auto":
            return named(self.tokenizer, self.options.prefix)
        if not self._measured and (kept := PrefixChoice.read(self._prefix_file)) is not None:
            self._measured.append(kept)
        return self._measured[0] if self._measured else None

    @cached_property
    def _measured(self) -> list[PrefixChoice]:
        return []

    def settle_prefix(self, model: "PreTrainedModel", *, keep: bool = True) -> None:
        """Measure the prefix if nobody has.

        Args:
            model: this side's model.
            keep: write the choice into the store, where later runs find it.
        """
        if self.prefix_choice is None:
            self._measured.append(measured_prefix(model, self.tokenizer))
            if keep:
                self._measured[0].write(self._prefix_file)

    @property
    def prefix(self) -> Prefix:
        """The token that precedes each window."""
        choice = self.prefix_choice
        assert choice is not None, "the prefix is settled when the model is first loaded"
        return choice.chosen

    @property
    def _prefix_file(self) -> Path:
        parts = [self.fingerprint, self.tokenizer.fingerprint, models.dtype_name(self.source), PREFIX_VERSION]
        digest = blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()
        return self.store_folder / f"prefix-{digest}.json"

    @cached_property
    def prediction_key(self) -> PredictionKey:
        """What this model's surprisal and entropy are found by."""
        return PredictionKey(
            model=self.fingerprint,
            tokenizer=self.tokenizer.fingerprint,
            prefix=self.prefix.token_id,
            window=self.options.window,
            dtype=models.dtype_name(self.source),
        )

    @cached_property
    def attention(self) -> ScoreStore[TextScores]:
        """This model's received attention under these options."""
        options, key = self.options, self.prediction_key
        attention_key = ScoreKey(
            **{f.name: getattr(key, f.name) for f in fields(key)},
            layers=options.layers,
            heads=options.heads,
            impl=options.impl,
            renormalise=options.renormalise,
            row_weights=self.row_weights.name if self.row_weights else None,
        )
        return ScoreStore(self.store_folder, attention_key, TextScores, on_damage=self.progress.say)

    @cached_property
    def predictions(self) -> ScoreStore[TextPredictions]:
        """This model's surprisal and entropy."""
        return ScoreStore(self.store_folder, self.prediction_key, TextPredictions, on_damage=self.progress.say)

    def missing(self, quantity: Quantity, texts: Sequence[str]) -> list[str]:
        """Those of `texts` that the store has no such scores of, each once, in order."""
        needs_weights = quantity == "attention" and self.row_weights is not None and not self.row_weights.are_known
        if self.prefix_choice is None or needs_weights:
            return list(dict.fromkeys(texts))  # no key to find any by
        return (self.attention if quantity == "attention" else self.predictions).missing(texts)

    def tokenize(self, texts: Sequence[Text]) -> list[TokenizedText]:
        """Tokens of texts."""
        return self.tokenizer.encode([t.text for t in texts], names=[t.id for t in texts])

    @contextlib.contextmanager
    def loaded(self, quantity: Quantity) -> Iterator["PreTrainedModel"]:
        """The model, with its head where it is to predict."""
        load = models.load_model if quantity == "attention" else models.load_generative_model
        yield load(self.source)

    @contextlib.contextmanager
    def probe(self, model: "PreTrainedModel") -> Iterator[Probe]:
        """The model under watch."""
        options = self.options
        with watch(
            model, layers=options.layers, heads=options.heads, impl=options.impl, renormalise=options.renormalise
        ) as probe:
            yield probe

    def score(
        self,
        probe: Probe,
        tokens: Sequence[TokenizedText],
        *,
        row_weights: Sequence[NDArray[np.float32]] | None = None,
        on_tokens: OnTokens = lambda _n: None,
    ) -> list[TextScores]:
        """Received attention of tokenised texts; arguments as `score_texts`."""
        return score_texts(
            probe,
            [t.ids for t in tokens],
            first=self.prefix.token_id,
            window=self.options.window,
            batch_tokens=self.options.batch_tokens,
            row_weights=row_weights,
            on_tokens=on_tokens,
        )

    def predict(
        self, model: "PreTrainedModel", tokens: Sequence[TokenizedText], *, on_tokens: OnTokens = lambda _n: None
    ) -> list[TextPredictions]:
        """Surprisal and entropy of tokenised texts."""
        return predict_texts(
            model,
            [t.ids for t in tokens],
            first=self.prefix.token_id,
            window=self.options.window,
            batch_tokens=self.options.batch_tokens,
            on_tokens=on_tokens,
        )


@dataclass(frozen=True, eq=False)
class RowWeights:
    """Weights of rows by what they predict: w of token i is taken from token i + 1; the last row predicts nothing.

    Attributes:
        weighting: `surprisal` of the next token in the small model, or `gap`: how much larger it is than in the large.
        small: the small model's side, with its predictions.
        large: the large model's side, likewise; `surprisal` does not use it.
    """

    weighting: RowWeighting
    small: Scorer
    large: Scorer | None

    @property
    def are_known(self) -> bool:
        """Whether the predictions have a key yet, which the models' prefixes are part of."""
        return all(side.prefix_choice is not None for side in self._sides)

    @property
    def name(self) -> str:
        """Names the weighting and the predictions that it is made of."""
        return "/".join([self.weighting, *(side.prediction_key.digest for side in self._sides)])

    @property
    def _sides(self) -> list[Scorer]:
        return [self.small, self.large] if self.weighting == "gap" and self.large else [self.small]

    def of(self, texts: Sequence[Text], tokens: Sequence[TokenizedText]) -> list[NDArray[np.float32]]:
        """The weight of each token's row, [token] of each text; the tokens may be another tokenizer's."""
        of_token, *of_large = (self._surprisals(side, texts, tokens) for side in self._sides)
        if of_large:
            of_token = [np.maximum(small - large, 0) for small, large in zip(of_token, of_large[0], strict=True)]
        return [np.append(np.nan_to_num(one[1:]), np.zeros(min(1, len(one)), np.float32)) for one in of_token]

    @staticmethod
    def _surprisals(side: Scorer, texts: Sequence[Text], tokens: Sequence[TokenizedText]) -> list[NDArray[np.float32]]:
        predicted = [side.predictions.get(text.text).surprisal for text in texts]
        return [
            own if np.array_equal(its.ids, target.ids) else project(own, its, target)
            for own, its, target in zip(predicted, side.tokenize(texts), tokens, strict=True)
        ]


def score_corpus(scorer: Scorer, staged: Staged, quantity: Quantity, *, role: str, progress: Progress) -> None:
    """Score every text of a staged corpus that the store does not hold yet.

    Args:
        scorer: the model's side.
        staged: the corpus.
        quantity: what is scored.
        role: `large` or `small`, for the bar.
        progress: where to report; counted in characters, which are known before a text is tokenised.
    """
    does = "score" if quantity == "attention" else "predict"
    with progress.stage(f"{does} with {role} model", total=staged.n_chars, unit="chars") as advance:
        _score_missing(scorer, staged, quantity, advance)
    models.free_memory()  # by now nothing holds the model, and the next one needs its place


def _score_missing(scorer: Scorer, staged: Staged, quantity: Quantity, advance: Advance) -> None:
    with contextlib.ExitStack() as stack:
        model: PreTrainedModel | None = None
        for index in range(staged.n_chunks):
            chunk = staged.read_chunk(index)
            missing = set(scorer.missing(quantity, [t.text for t in chunk]))
            todo = list({t.text: t for t in chunk if t.text in missing}.values())
            n_chars = sum(len(t.text) for t in todo)
            advance(sum(len(t.text) for t in chunk) - n_chars)
            if not todo:
                continue
            if model is None:
                scorer.progress.say(f"loading {scorer.source.name}")
                model = stack.enter_context(scorer.loaded(quantity))
                scorer.settle_prefix(model)
                probe = stack.enter_context(scorer.probe(model)) if quantity == "attention" else None
            tokens, keys = scorer.tokenize(todo), [t.text for t in todo]
            report = _in_characters(advance, n_chars=n_chars, n_tokens=sum(len(t) for t in tokens))
            if probe is not None:
                weights = scorer.row_weights.of(todo, tokens) if scorer.row_weights else None
                scores = scorer.score(probe, tokens, row_weights=weights, on_tokens=report)
                scorer.attention.add(keys, scores)
            else:
                scorer.predictions.add(keys, scorer.predict(model, tokens, on_tokens=report))


def _in_characters(advance: Advance, *, n_chars: int, n_tokens: int) -> Callable[[int], None]:
    """Reports tokens to a bar that counts characters."""
    done = 0

    def report(n: int) -> None:
        nonlocal done
        advance((done + n) * n_chars // max(1, n_tokens) - done * n_chars // max(1, n_tokens))
        done += n

    return report
