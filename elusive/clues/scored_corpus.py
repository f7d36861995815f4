"""A corpus with its scores: text after text, ranked and ready to be dropped from. Loads no model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from elusive.attention.windows import TextScores
from elusive.choices import GUIDE, ContrastKind, Guide, UnitKind
from elusive.clues.alignment import project_mean, projected, scaled_to_one
from elusive.clues.contrast import compares_logarithms
from elusive.clues.counts import PartCounts, SinkPlace
from elusive.clues.guides import ModelScores, Need, Role, TokenScores, Values, guide_values
from elusive.clues.position import ExpectedReceived, followers_of
from elusive.clues.scoring import Scorer
from elusive.clues.sinks import displaced_sinks
from elusive.clues.text_clues import TextClues, find_clues
from elusive.clues.units import protection
from elusive.data.staging import Staged
from elusive.data.texts import Text
from elusive.errors import FolderError
from elusive.progress import Progress
from elusive.tokenization import TokenizedText


@dataclass(frozen=True, kw_only=True)
class ClueSettings:
    """How a text's clues are found; see `text_clues`."""

    guide: Guide = GUIDE
    contrast: ContrastKind = "difference"
    unit: UnitKind = "token"
    protect: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ScoredText:
    """A text, its tokens, their scores, what the guide makes of these, and the clues that come of it."""

    text: Text
    tokens: TokenizedText
    scores: TokenScores
    values: Values | None
    clues: TextClues
    counts: PartCounts


@dataclass(frozen=True, eq=False)
class RawScores:
    """One model's scores of a text on its own tokens, and which of these are attention sinks, [token]."""

    tokens: TokenizedText
    scores: ModelScores
    sinks: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ScoredCorpus:
    """A staged corpus, its scores in the models' stores, and how clues are found in it.

    Attributes:
        staged: the corpus.
        sides: the models, by role; a role that no guide needs may be missing.
        target: the role whose tokens are ranked and dropped.
        needs: which scores are there.
        settings: how clues are found.
        expected: by role, what a token with as many followers receives; empty where nothing is divided by it.
    """

    staged: Staged
    sides: Mapping[Role, Scorer]
    target: Role
    needs: frozenset[Need]
    settings: ClueSettings
    expected: Mapping[Role, ExpectedReceived] = field(default_factory=dict)

    @property
    def is_scored(self) -> bool:
        """Whether the guide ranks anything; `random` does not."""
        return self.settings.guide != "random"

    @cached_property
    def _tokenizers_differ(self) -> bool:
        return len({side.tokenizer.fingerprint for side in self.sides.values()}) > 1

    def guided_by(self, guide: Guide) -> "ScoredCorpus":
        """The same corpus, ranked by another guide."""
        return replace(self, settings=replace(self.settings, guide=guide))

    def lifted(self, progress: Progress) -> "ScoredCorpus":
        """The same corpus, its attention divided by what a token with as many followers receives on average."""
        roles = sorted(role for role, quantity in self.needs if quantity == "attention")
        expected: dict[Role, ExpectedReceived] = {role: ExpectedReceived() for role in roles}
        with progress.stage("measure position", total=self.staged.n_texts, unit="texts") as advance:
            for index in range(self.staged.n_chunks):
                for text in self.staged.read_chunk(index):
                    for role in roles:
                        scores = self._kept(role, text)
                        expected[role].add(scores, self._followers(role, len(scores.received)))
                    advance(1)
        return replace(self, expected=expected)

    def texts(self, chunks: Sequence[int]) -> Iterator[ScoredText]:
        """The texts of some chunks, in order."""
        protect = protection(self.settings.protect)
        for index in chunks:
            chunk = self.staged.read_chunk(index)
            tokens = {role: side.tokenize(chunk) for role, side in self._tokenizing.items()}
            for number, text in enumerate(chunk):
                own = tokens[self.target][number]
                counts = PartCounts(texts=1, tokens=len(own))
                raw = {
                    role: self._raw(role, text, tokens.get(role, tokens[self.target])[number], counts)
                    for role in sorted({role for role, _ in self.needs})
                }
                scores = token_scores(raw, own, kind=self.settings.contrast)
                counts.aligned = int(scores.aligned)
                values = guide_values(self.settings.guide, scores, kind=self.settings.contrast)
                clues = find_clues(text.text, own, values, unit=self.settings.unit, protect=protect)
                yield ScoredText(text, own, scores, values, clues, counts)

    @property
    def _tokenizing(self) -> Mapping[Role, Scorer]:
        return self.sides if self._tokenizers_differ else {self.target: self.sides[self.target]}

    def _raw(self, role: Role, text: Text, tokens: TokenizedText, counts: PartCounts) -> RawScores:
        sinks = np.zeros(len(tokens), dtype=bool)
        found: dict[str, Values] = {}
        if (role, "attention") in self.needs:
            attention = self._kept(role, text)
            counts.count_sink(role, attention)
            followers = self._followers(role, len(tokens))
            sinks = displaced_sinks(attention.received, n_followers=followers, prefix_share=attention.sink_mass)
            counts.count_displaced(_places(role, text, tokens, attention, sinks))
            if role in self.expected:
                attention = self.expected[role].lifted(attention, followers)
            found |= {"received": attention.received, "log_received": attention.log_received}
        if (role, "predictions") in self.needs:
            try:
                predicted = self.sides[role].predictions.get(text.text)
            except KeyError as lost:
                raise _lost(text) from lost
            found |= {"surprisal": predicted.surprisal, "entropy": predicted.entropy}
        return RawScores(tokens, ModelScores(**found), sinks)

    def _kept(self, role: Role, text: Text) -> TextScores:
        try:
            return self.sides[role].attention.get(text.text)
        except KeyError as lost:  # they were all there when scoring ended
            raise _lost(text) from lost

    def _followers(self, role: Role, n_tokens: int) -> NDArray[np.int64]:
        return followers_of(n_tokens, window=self.sides[role].options.window)


def _places(
    role: Role, text: Text, tokens: TokenizedText, attention: TextScores, sinks: NDArray[np.bool_]
) -> tuple[SinkPlace, ...]:
    pieces = tokens.pieces(text.text) if sinks.any() else []
    return tuple(
        SinkPlace(model=role, text_id=text.id, position=at, token=pieces[at], received=float(attention.received[at]))
        for at in np.flatnonzero(sinks).tolist()
    )


def _lost(text: Text) -> FolderError:
    return FolderError(f"the scores of text {text.id!r} have since been damaged or removed; run the same command again")


def token_scores(raw: Mapping[Role, RawScores], own: TokenizedText, *, kind: ContrastKind) -> TokenScores:
    """The models' scores on the tokens that are ranked.

    Args:
        raw: by role, each on its own tokens.
        own: the tokens that are ranked.
        kind: how attention is contrasted. Where tokens differ, differences and ranks compare shares of each text's
            attention (METHOD 1.2); logarithms are compared as they are.
    """
    aligned = any(not np.array_equal(one.tokens.ids, own.ids) for one in raw.values())
    logarithms = compares_logarithms(kind)
    sinks = np.zeros(len(own), dtype=bool)
    placed: dict[str, ModelScores] = {}
    for role, one in raw.items():
        scores, at_sink = one.scores, one.sinks
        if aligned and not logarithms and scores.received is not None:
            scores = replace(scores, received=scaled_to_one(scores.received))
        if not np.array_equal(one.tokens.ids, own.ids):
            scores = projected(scores, one.tokens, own, logarithms=logarithms)
            at_sink = project_mean(at_sink.astype(np.float32), one.tokens, own) > 0
        placed[role] = scores
        sinks |= at_sink
    return TokenScores(**placed, aligned=aligned, sinks=sinks if sinks.any() else None)
