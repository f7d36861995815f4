"""The models of a comparison: each looked at, loaded and scored once, one in memory at a time.

A candidate that cannot be used does not end the comparison: what is wrong with it becomes its fault, and the pairs
that need it are left out.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from elusive.clues.scoring import Scorer, score_corpus
from elusive.config import CompareModelsConfig
from elusive.data.staging import Staged
from elusive.errors import ModelError, OptionError
from elusive.jobs.inputs import context_of, pinned_source, scorers_of
from elusive.jobs.measuring import Meter, MeteredScorer
from elusive.jobs.tolerance import tolerating
from elusive.models import ModelSource
from elusive.progress import Progress


@dataclass(frozen=True, eq=False)
class CandidatePair:
    """Two models, and their sides as `augment` would have them; no sides where either cannot be used."""

    large: ModelSource
    small: ModelSource
    sides: tuple[MeteredScorer, MeteredScorer] | None
    fault: str | None


@dataclass(eq=False)
class Candidates:
    """All models of a comparison.

    Attributes:
        config: the options.
        store: where scores are kept.
        progress: where to report.
        pairs: in the order in which they were given.
        scorers: by model, one for each window that its pairs ask for.
        faults: why a model cannot be used.
    """

    config: CompareModelsConfig
    store: Path
    progress: Progress
    pairs: list[CandidatePair] = field(init=False, default_factory=list)
    scorers: dict[ModelSource, list[MeteredScorer]] = field(init=False, default_factory=dict)
    faults: dict[ModelSource, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sources = [tuple(pinned_source(self.config, name) for name in pair) for pair in self.config.pair]
        self.scorers = {source: [] for pair in sources for source in pair}
        for source in self.scorers:
            with self._tolerating(source):
                context_of(self.config, source)
        self.pairs = [self._pair(large, small) for large, small in sources]
        self.require_a_pair()

    def score(self, staged: Staged) -> None:
        """Score the sample with every model that a pair needs; small models come first, since they fail sooner."""
        smalls = [pair.small for pair in self.pairs]
        for source in sorted(self.scorers, key=lambda source: source not in smalls):
            if not self.error_of(source):
                with self._tolerating(source):
                    self._score(source, staged)
        self.require_a_pair()

    @property
    def usable_pairs(self) -> list[CandidatePair]:
        """The pairs whose models have no fault so far."""
        return [pair for pair in self.pairs if self.fault_of(pair) is None]

    def error_of(self, source: ModelSource) -> str | None:
        """Why a model is left out."""
        needed = any(source in (pair.large, pair.small) for pair in self.usable_pairs)
        return self.faults.get(source) or (None if needed else "not needed: no pair with it can be compared")

    def fault_of(self, pair: CandidatePair) -> str | None:
        """Why a pair cannot be compared."""
        return pair.fault or self.faults.get(pair.large) or self.faults.get(pair.small)

    def require_a_pair(self) -> None:
        """Go on only while there is something to compare.

        Raises:
            ModelError: every pair has a fault.
        """
        if not self.usable_pairs:
            faults = dict.fromkeys(str(self.fault_of(pair)) for pair in self.pairs)
            raise ModelError(f"no pair can be compared: {'; '.join(faults)}")

    def _pair(self, large: ModelSource, small: ModelSource) -> CandidatePair:
        if large in self.faults or small in self.faults:
            return CandidatePair(large, small, None, None)
        try:
            sides = scorers_of(self.config, [large, small], store=self.store, progress=self.progress)
        except OptionError as error:  # a window that this pair's models cannot hold
            return CandidatePair(large, small, None, str(error))
        metered = [self._metered(scorer) for scorer in sides]
        return CandidatePair(large, small, (metered[0], metered[1]), None)

    def _metered(self, scorer: Scorer) -> MeteredScorer:
        """This model's scorer for this window, made once."""
        known = self.scorers[scorer.source]
        for other in known:
            if other.options.window == scorer.options.window:
                return other
        metered = MeteredScorer.of(scorer, known[0].meter if known else Meter())
        with self._tolerating(scorer.source):
            _ = metered.fingerprint, metered.tokenizer
        known.append(metered)
        return metered

    def _score(self, source: ModelSource, staged: Staged) -> None:
        scorers = sorted(self.scorers[source], key=lambda scorer: scorer.options.window)  # as its meter wants them
        with scorers[0].meter:
            for scorer in scorers:
                score_corpus(scorer, staged, "attention", role=source.name, progress=self.progress)

    def _tolerating(self, source: ModelSource) -> contextlib.AbstractContextManager[None]:
        return tolerating(source.name, self.faults, key=source, progress=self.progress)
