"""`elusive compare-models`: what pairs of models cost and how alike they rank tokens, before a corpus is scored.

    look      at every candidate's config and tokenizer
    draw      a sample from the whole corpus, in one pass
    score     the sample with each distinct model once, into the score store
    compare   the two models of a pair, and the contrasts of the pairs

A candidate that cannot be used is left out, and the comparison goes on. Nothing is written but scores.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elusive.clues.agreement import is_silent, rank_correlation, top_tenth_overlap
from elusive.clues.alignment import projected
from elusive.clues.contrast import compares_logarithms
from elusive.clues.counts import PartCounts
from elusive.clues.guides import TokenScores, guide_values, needs_of
from elusive.clues.position import end_auc
from elusive.clues.scored_corpus import ClueSettings, ScoredCorpus, ScoredText
from elusive.clues.scoring import Scorer
from elusive.config import CompareModelsConfig, build
from elusive.jobs.candidates import Candidates
from elusive.jobs.comparison import (
    CompareModelsPlan,
    CompareModelsResult,
    ModelFigures,
    PairFigures,
    PairPlan,
    cost_of_pair,
    in_words,
)
from elusive.jobs.measuring import MeteredScorer
from elusive.jobs.sampling import Sample, draw_sample
from elusive.models import ModelSource
from elusive.progress import Bars, Progress
from elusive.statistics import Estimate, over_examples
from elusive.tokenization import TokenizedText

Scores = NDArray[np.float32]
Measure = Callable[[Scores, Scores], float]


def compare_models(
    corpus: str | Path = "sample:biographies",
    *,
    pair: Sequence[tuple[str, str]] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> CompareModelsResult:
    """Compare candidate pairs of models on a sample of a corpus.

    Args:
        corpus: a file, folder or Hugging Face dataset name (`elusive.data.corpus.read_corpus`).
        pair: the candidates, each a large and a small model; `name@revision` pins one. The tiny family unless told.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.CompareModelsConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line; of one candidate among others only where no pair
            is left without it.
    """
    pairs = {} if pair is None else {"pair": pair}
    return run(build(CompareModelsConfig, {"corpus": str(corpus), **pairs, **options}), progress=progress or Bars())


def run(config: CompareModelsConfig, *, progress: Progress) -> CompareModelsResult:
    """`compare_models` from validated options."""
    with tempfile.TemporaryDirectory() as temporary:
        store = Path(config.scores) if config.scores else Path(temporary) / "scores"
        candidates = Candidates(config, store, progress)
        sample = draw_sample(config, Path(temporary) / "sample", progress=progress)
        candidates.score(sample.staged)
        return _Comparison(config, sample, candidates).result()


def plan(config: CompareModelsConfig, *, progress: Progress) -> CompareModelsPlan:
    """What `run` would load and score. Reads the corpus, loads no model, and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as temporary:
        candidates = Candidates(config, Path(config.scores or temporary), progress)
        sample = draw_sample(config, Path(temporary) / "sample", progress=progress)
        texts = [text.text for text in sample]
        return CompareModelsPlan(
            texts=sample.corpus_texts,
            chars=sample.corpus_chars,
            rejected=sample.rejected,
            sample_texts=len(texts),
            sample_chars=sample.staged.n_chars,
            to_score={
                source.written: sum(len(scorer.missing("attention", texts)) for scorer in scorers)
                for source, scorers in candidates.scorers.items()
                if not candidates.error_of(source)
            },
            left_out={source.written: error for source in candidates.scorers if (error := candidates.error_of(source))},
            pairs=tuple(
                PairPlan(
                    large=pair.large.written,
                    small=pair.small.written,
                    window=pair.sides[0].options.window if pair.sides else None,
                    error=candidates.fault_of(pair),
                )
                for pair in candidates.pairs
            ),
        )


@dataclass(frozen=True, eq=False)
class _Comparison:
    """A sample scored by all candidates."""

    config: CompareModelsConfig
    sample: Sample
    candidates: Candidates

    def result(self) -> CompareModelsResult:
        sources = list(self.candidates.scorers)
        models = [self._model(source) for source in sources]
        readings = [
            self._texts(*pair.sides) if pair.sides and not self.candidates.fault_of(pair) else None
            for pair in self.candidates.pairs
        ]
        pairs = []
        for pair, read in zip(self.candidates.pairs, readings, strict=True):
            places = sources.index(pair.large), sources.index(pair.small)
            if pair.sides and read:
                pairs.append(self._pair(places, models, pair.sides, read))
            else:
                pairs.append(PairFigures(large=places[0], small=places[1], error=self.candidates.fault_of(pair)))
        contrasts, top_tenth = (self._among(readings, measure) for measure in (rank_correlation, top_tenth_overlap))
        return CompareModelsResult(
            texts=self.sample.corpus_texts,
            chars=self.sample.corpus_chars,
            rejected=self.sample.rejected,
            sample_texts=self.sample.staged.n_texts,
            sample_chars=self.sample.staged.n_chars,
            models=tuple(models),
            pairs=tuple(pairs),
            contrasts=contrasts,
            top_tenth=top_tenth,
            summary=in_words(pairs, contrasts, top_tenth),
        )

    def _model(self, source: ModelSource) -> ModelFigures:
        error = self.candidates.error_of(source)
        if error:
            return ModelFigures(name=source.written, error=error)
        scorer = self.candidates.scorers[source][0]
        read = self._texts(scorer, scorer)
        counts = sum((text.counts for text in read), PartCounts())
        return ModelFigures(
            name=source.written,
            tokenizer=scorer.tokenizer.fingerprint,
            tokens=counts.tokens,
            tokens_per_text=counts.tokens / counts.texts,
            tokens_per_char=counts.tokens / self.sample.staged.n_chars,
            sink_mass=counts.sink_mass["large"],
            prefix=scorer.prefix.name,
            displaced_sinks=counts.n_displaced,
            last_auc=self._ends((text.scores.large.received for text in read), last=True),
            cost=scorer.cost,
        )

    def _texts(self, large: Scorer, small: Scorer) -> list[ScoredText]:
        """The sample as `augment --guide contrast` would see it with two models."""
        corpus = ScoredCorpus(
            staged=self.sample.staged,
            sides={"large": large, "small": small},
            target="large",
            needs=needs_of("contrast"),
            settings=ClueSettings(guide="contrast", contrast=self.config.contrast),
        )
        return list(corpus.texts(range(self.sample.staged.n_chunks)))

    def _pair(
        self,
        places: tuple[int, int],
        models: Sequence[ModelFigures],
        sides: tuple[MeteredScorer, MeteredScorer],
        read: list[ScoredText],
    ) -> PairFigures:
        # A model's own figures may be of another pair's window.
        large, small = (replace(models[at], cost=side.cost) for at, side in zip(places, sides, strict=True))
        return PairFigures(
            large=places[0],
            small=places[1],
            window=sides[0].options.window,
            same_tokenizer=sides[0].tokenizer.fingerprint == sides[1].tokenizer.fingerprint,
            aligned=sum(text.scores.aligned for text in read) / len(read),
            large_small=self._over(
                rank_correlation(_given(of.large.received), _given(of.small.received))
                for of in (text.scores for text in read)
            ),
            silent=sum(is_silent(_given(text.values)) for text in read),
            first_auc=self._ends((text.values for text in read), last=False),
            last_auc=self._ends((text.values for text in read), last=True),
            cost=cost_of_pair(large, small, n_chars=self.sample.corpus_chars),
        )

    def _among(
        self, readings: Sequence[list[ScoredText] | None], measure: Measure
    ) -> tuple[tuple[Estimate | None, ...], ...]:
        """A measure of each two pairs' contrasts, on the tokens of the first usable pair."""
        target = next(read for read in readings if read)
        placed = [
            [self._contrast(text, there.tokens) for text, there in zip(read, target, strict=True)] if read else None
            for read in readings
        ]

        def cell(a: list[Scores] | None, b: list[Scores] | None) -> Estimate | None:
            return self._over(map(measure, a, b)) if a and b else None

        return tuple(tuple(cell(a, b) for b in placed) for a in placed)

    def _contrast(self, text: ScoredText, tokens: TokenizedText) -> Scores:
        """A text's contrast on another tokenizer's tokens of it: both scores are projected, as `augment` would.

        To project the contrast itself would spread logarithms and ranks as if they were attention.
        """
        if np.array_equal(text.tokens.ids, tokens.ids):
            return _given(text.values)
        kind = self.config.contrast
        large, small = (
            projected(scores, text.tokens, tokens, logarithms=compares_logarithms(kind))
            for scores in (text.scores.large, text.scores.small)
        )
        return _given(guide_values("contrast", TokenScores(large=large, small=small), kind=kind))

    def _ends(self, values: Iterable[Scores | None], *, last: bool) -> Estimate:
        return self._over(end_auc(_given(of_text), last=last) for of_text in values)

    def _over(self, values: Iterable[float]) -> Estimate:
        return over_examples(values, seed=self.config.seed)


def _given(scores: Scores | None) -> Scores:
    assert scores is not None, "a contrast needs both models' attention"
    return scores
