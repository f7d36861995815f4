"""A corpus with its scores: text after text, ranked and ready to be dropped from. Loads no model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from elusive.choices import ContrastKind, Guide, UnitKind
from elusive.clues.counts import PartCounts
from elusive.clues.scoring import Scorer
from elusive.clues.text_clues import TextClues, TokenScores, contrast_tokens, find_clues, unscored
from elusive.clues.units import protection
from elusive.data.staging import Staged
from elusive.data.texts import Text
from elusive.errors import FolderError
from elusive.tokenization import TokenizedText


@dataclass(frozen=True, kw_only=True)
class ClueSettings:
    """How a text's clues are found; see `text_clues`."""

    guide: Guide = "contrast"
    contrast: ContrastKind = "difference"
    unit: UnitKind = "token"
    protect: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ScoredText:
    """A text, its tokens, their scores, and the clues they give."""

    text: Text
    tokens: TokenizedText
    scores: TokenScores
    clues: TextClues
    counts: PartCounts


@dataclass(frozen=True, kw_only=True)
class ScoredCorpus:
    """A staged corpus, its scores in both models' stores, and how clues are found in it.

    Attributes:
        staged: the corpus.
        large: the side whose tokens are ranked and dropped.
        small: the other side.
        settings: how clues are found.
    """

    staged: Staged
    large: Scorer
    small: Scorer
    settings: ClueSettings

    @property
    def is_scored(self) -> bool:
        """Whether clues need scores; the guide `random` does not."""
        return self.settings.guide != "random"

    @cached_property
    def _tokenizers_differ(self) -> bool:
        return self.is_scored and self.large.tokenizer.fingerprint != self.small.tokenizer.fingerprint

    def guided_by(self, guide: Guide) -> "ScoredCorpus":
        """The same corpus, ranked by another guide."""
        return replace(self, settings=replace(self.settings, guide=guide))

    def texts(self, chunks: Sequence[int]) -> Iterator["ScoredText"]:
        """The texts of some chunks, in order."""
        protect = protection(self.settings.protect)
        for index in chunks:
            chunk = self.staged.read_chunk(index)
            tokens = self.large.tokenize(chunk)
            others = self.small.tokenize(chunk) if self._tokenizers_differ else tokens
            for text, own, other in zip(chunk, tokens, others, strict=True):
                counts = PartCounts(texts=1, tokens=len(own))
                scores = self._scores(text, own, other, counts)
                clues = find_clues(
                    text.text,
                    own,
                    scores,
                    guide=self.settings.guide,
                    unit=self.settings.unit,
                    protect=protect,
                )
                yield ScoredText(text, own, scores, clues, counts)

    def _scores(self, text: Text, own: TokenizedText, other: TokenizedText, counts: PartCounts) -> TokenScores:
        if not self.is_scored:
            return unscored(len(own))
        try:
            large, small = self.large.store.get(text.text), self.small.store.get(text.text)
        except KeyError as lost:  # they were all there when scoring ended
            raise FolderError(
                f"the scores of text {text.id!r} have since been damaged or removed; run the same command again"
            ) from lost
        scores = contrast_tokens(
            large.received, small.received, tokens=own, small_tokens=other, kind=self.settings.contrast
        )
        counts.aligned = int(scores.aligned)
        counts.sink_large, counts.rows_large = large.sink, large.rows
        counts.sink_small, counts.rows_small = small.sink, small.rows
        return scores
