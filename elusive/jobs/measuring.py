"""What scoring with a model costs: memory and speed, measured while it is done.

A `Meter` holds one model for as long as it is open; a `MeteredScorer` scores as any other does.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from elusive import models
from elusive.attention.probe import Probe
from elusive.attention.windows import TextScores
from elusive.clues.scoring import Scorer
from elusive.jobs.memory import MemoryGauge
from elusive.tokenization import TokenizedText


@dataclass(frozen=True, kw_only=True)
class ScoringCost:
    """What it took to load a model and to score some texts.

    Attributes:
        device, dtype: where it ran, and its weights' type.
        parameters: of the model.
        weight_bytes: of its weights as loaded.
        peak_bytes: largest memory beyond what was taken before it was loaded: of the GPUs where it runs there, else of
            the process (outside Linux only what goes beyond the process's earlier peak). The first model's has some
            30 MiB of libraries in it.
        loading_seconds: until it could be used.
        tokens, seconds: scored, and in what time; the loading and a first pass left out.
    """

    device: str
    dtype: str
    parameters: int
    weight_bytes: int
    peak_bytes: int
    loading_seconds: float
    tokens: int
    seconds: float

    @property
    def seconds_per_token(self) -> float:
        """Of scoring alone."""
        return self.seconds / max(1, self.tokens)


class Score(Protocol):
    """`Scorer.score`."""

    def __call__(
        self, probe: Probe, tokens: Sequence[TokenizedText], *, on_tokens: Callable[[int], None] = ...
    ) -> list[TextScores]:
        """See there."""
        ...


class Meter:
    """Loads a model when it is first asked for, and takes the measure of what it does until the block ends.

    Attributes:
        cost: known when the block has ended; None where no model was loaded.
    """

    def __init__(self) -> None:
        self.cost: ScoringCost | None = None
        self._held = contextlib.ExitStack()
        self._probe: Probe | None = None
        self._loading = self._seconds = 0.0
        self._tokens = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._probe is not None:
            self.cost = self._cost(self._probe)
        self._probe = None
        self._held.close()
        models.free_memory()

    def probe(self, load: Callable[[], contextlib.AbstractContextManager[Probe]]) -> Probe:
        """The model under watch, loaded by `load` the first time."""
        if self._probe is None:
            self._gauge = MemoryGauge()
            start = time.perf_counter()
            self._probe = self._held.enter_context(load())
            self._loading = time.perf_counter() - start
        return self._probe

    def score(
        self,
        score: Score,
        probe: Probe,
        tokens: Sequence[TokenizedText],
        *,
        on_tokens: Callable[[int], None] = lambda _n: None,
    ) -> list[TextScores]:
        """Scores of tokenised texts, in measured time."""
        if not self._tokens:
            score(probe, tokens[:1])  # the first pass pays for what later ones find ready
        start = time.perf_counter()
        scores = score(probe, tokens, on_tokens=on_tokens)
        self._seconds += time.perf_counter() - start
        self._tokens += sum(len(t) for t in tokens)
        return scores

    def _cost(self, probe: Probe) -> ScoringCost:
        parameters = list(probe.model.parameters())
        return ScoringCost(
            device=", ".join(sorted({str(p.device) for p in parameters})),
            dtype=str(probe.model.dtype).removeprefix("torch."),
            parameters=probe.model.num_parameters(),
            weight_bytes=sum(p.numel() * p.element_size() for p in parameters),
            peak_bytes=self._gauge.peak_bytes,
            loading_seconds=self._loading,
            tokens=self._tokens,
            seconds=self._seconds,
        )


@dataclass(frozen=True, eq=False)
class MeteredScorer(Scorer):
    """A scorer whose model is the meter's, so that several windows share one loading."""

    meter: Meter

    @contextlib.contextmanager
    def probe(self) -> Iterator[Probe]:
        """See `Scorer.probe`; the model stays until the meter's block ends."""
        yield self.meter.probe(super().probe)

    def score(
        self,
        probe: Probe,
        tokens: Sequence[TokenizedText],
        *,
        on_tokens: Callable[[int], None] = lambda _n: None,
    ) -> list[TextScores]:
        """See `Scorer.score`."""
        return self.meter.score(super().score, probe, tokens, on_tokens=on_tokens)
