"""Scores a staged corpus with one model, a chunk at a time, into a score store.

A chunk's scores appear whole; batches are cut inside a chunk. So what is computed does not depend on where an earlier
run was stopped. The model is loaded only if a text has no score yet, and is gone when the stage is over.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from elusive import models
from elusive.attention.probe import Probe, watch
from elusive.attention.windows import TextScores, score_texts
from elusive.choices import Impl
from elusive.clues.score_store import ScoreKey, ScoreStore
from elusive.data.staging import Staged
from elusive.data.texts import Text
from elusive.models import ModelSource
from elusive.progress import Advance, Progress
from elusive.tokenization import TextTokenizer, TokenizedText


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How texts are scored, the same for both models.

    Attributes:
        layers: decoder layers to average over; None is all.
        heads: query heads to average over; None is all.
        renormalise: weigh rows without the sink.
        impl: see `elusive.choices.Impl`.
        window: tokens per window, the special first token included.
        batch_tokens: padded tokens per forward pass.
    """

    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    renormalise: bool = False
    impl: Impl = "auto"
    window: int = 2048
    batch_tokens: int = 8192


@dataclass(frozen=True, eq=False)
class Scorer:
    """One model's side of a run: its tokenizer, its place in the store, and its weights when they are needed.

    Attributes:
        source: the model.
        options: how texts are scored.
        store_folder: the score store.
        progress: where damage to the store is said.
    """

    source: ModelSource
    options: ScoringOptions
    store_folder: Path
    progress: Progress

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

    @cached_property
    def store(self) -> ScoreStore:
        """This model's scores under these options."""
        key = ScoreKey(
            model=self.fingerprint,
            tokenizer=self.tokenizer.fingerprint,
            window=self.options.window,
            layers=self.options.layers,
            heads=self.options.heads,
            dtype=models.dtype_name(self.source),
            impl=self.options.impl,
            renormalise=self.options.renormalise,
        )
        return ScoreStore(self.store_folder, key, on_damage=self.progress.say)

    def tokenize(self, texts: Sequence[Text]) -> list[TokenizedText]:
        """Tokens of texts."""
        return self.tokenizer.encode([t.text for t in texts], names=[t.id for t in texts])

    @contextlib.contextmanager
    def probe(self) -> Iterator[Probe]:
        """The model, loaded and under watch."""
        options = self.options
        with watch(
            models.load_model(self.source),
            layers=options.layers,
            heads=options.heads,
            impl=options.impl,
            renormalise=options.renormalise,
        ) as probe:
            yield probe

    def score(
        self,
        probe: Probe,
        tokens: Sequence[TokenizedText],
        *,
        on_tokens: Callable[[int], None] = lambda _n: None,
    ) -> list[TextScores]:
        """Received attention of tokenised texts."""
        return score_texts(
            probe,
            [t.ids for t in tokens],
            first=self.tokenizer.first_id,
            window=self.options.window,
            batch_tokens=self.options.batch_tokens,
            on_tokens=on_tokens,
        )


def score_corpus(scorer: Scorer, staged: Staged, *, role: str, progress: Progress) -> None:
    """Score every text of a staged corpus that the store does not hold yet.

    Args:
        scorer: the model's side.
        staged: the corpus.
        role: `large` or `small`, for the bar.
        progress: where to report; counted in characters, which are known before a text is tokenised.
    """
    with progress.stage(f"score with {role} model", total=staged.n_chars, unit="chars") as advance:
        _score_missing(scorer, staged, advance)
    models.free_memory()  # by now nothing holds the model, and the next one needs its place


def _score_missing(scorer: Scorer, staged: Staged, advance: Advance) -> None:
    with contextlib.ExitStack() as stack:
        probe: Probe | None = None
        for index in range(staged.n_chunks):
            chunk = staged.read_chunk(index)
            missing = set(scorer.store.missing([t.text for t in chunk]))
            todo = list({t.text: t for t in chunk if t.text in missing}.values())
            n_chars = sum(len(t.text) for t in todo)
            advance(sum(len(t.text) for t in chunk) - n_chars)
            if not todo:
                continue
            if probe is None:
                scorer.progress.say(f"loading {scorer.source.name}")
                probe = stack.enter_context(scorer.probe())
            scores = _score_chunk(scorer, probe, todo, n_chars=n_chars, advance=advance)
            scorer.store.add([t.text for t in todo], scores)


def _score_chunk(
    scorer: Scorer, probe: Probe, texts: Sequence[Text], *, n_chars: int, advance: Advance
) -> list[TextScores]:
    tokens = scorer.tokenize(texts)
    n_tokens = max(1, sum(len(t) for t in tokens))
    done = 0

    def report(n: int) -> None:
        nonlocal done
        advance((done + n) * n_chars // n_tokens - done * n_chars // n_tokens)
        done += n

    return scorer.score(probe, tokens, on_tokens=report)
