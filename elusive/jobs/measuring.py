"""What scoring with a model costs: memory and speed, measured while it is done.

A `Meter` holds one model for as long as it is open; a `MeteredScorer` scores as any other does, and knows what it took.
Measuring adds one short window a model.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from elusive import models
from elusive.attention.probe import Probe
from elusive.attention.windows import TextScores
from elusive.clues.guides import Quantity
from elusive.clues.predictions import TextPredictions
from elusive.clues.scoring import OnTokens, Scorer
from elusive.jobs.memory import MemoryGauge
from elusive.tokenization import TokenizedText

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WARM_UP_TOKENS = 64


@dataclass(frozen=True, kw_only=True)
class ScoringCost:
    """What it took to load a model and to score some texts under one window.

    Attributes:
        device, dtype: where it ran, and its weights' type.
        parameters: of the model.
        weight_bytes: of its weights as loaded.
        peak_bytes: largest memory beyond what was taken before it was loaded: of the GPUs where it runs there, else of
            the process (outside Linux only what goes beyond the process's earlier peak). The first model's has some
            30 MiB of libraries in it.
        loading_seconds: until it could be used.
        tokens, seconds: scored, and in what time; the loading and the warming up left out.
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


class Meter:
    """Loads a model when it is first asked for, and holds and watches it until the block ends.

    Attributes:
        costs: what scoring took, by window. A peak only grows: shorter windows are to come before longer ones.
    """

    def __init__(self) -> None:
        self.costs: dict[int, ScoringCost] = {}
        self._held = contextlib.ExitStack()
        self._model: PreTrainedModel | None = None
        self._loading = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._model = None
        self._held.close()
        models.free_memory()

    def model(self, load: Callable[[], contextlib.AbstractContextManager["PreTrainedModel"]]) -> "PreTrainedModel":
        """The model, loaded by `load` the first time."""
        if self._model is None:
            self._gauge = MemoryGauge()
            start = time.perf_counter()
            self._model = self._held.enter_context(load())
            self._loading = time.perf_counter() - start
        return self._model

    def add(self, model: "PreTrainedModel", *, window: int, tokens: int, seconds: float) -> None:
        """Count what was just scored."""
        earlier = self.costs.get(window)
        parameters = list(model.parameters())
        self.costs[window] = ScoringCost(
            device=", ".join(sorted({str(p.device) for p in parameters})),
            dtype=str(model.dtype).removeprefix("torch."),
            parameters=model.num_parameters(),
            weight_bytes=sum(p.numel() * p.element_size() for p in parameters),
            peak_bytes=self._gauge.peak_bytes,
            loading_seconds=self._loading,
            tokens=tokens + (earlier.tokens if earlier else 0),
            seconds=seconds + (earlier.seconds if earlier else 0.0),
        )


@dataclass(frozen=True, eq=False)
class MeteredScorer(Scorer):
    """A scorer whose model is the meter's, so that several windows share one loading."""

    meter: Meter = field(kw_only=True)

    @classmethod
    def of(cls, scorer: Scorer, meter: Meter) -> Self:
        """A scorer under measure."""
        return cls(**{f.name: getattr(scorer, f.name) for f in fields(scorer)}, meter=meter)

    @property
    def cost(self) -> ScoringCost | None:
        """What scoring has taken under this window; None where nothing was scored."""
        return self.meter.costs.get(self.options.window)

    @contextlib.contextmanager
    def loaded(self, quantity: Quantity) -> Iterator["PreTrainedModel"]:
        """See `Scorer.loaded`; the model stays until the meter's block ends."""
        yield self.meter.model(lambda: super(MeteredScorer, self).loaded(quantity))

    def score(
        self,
        probe: Probe,
        tokens: Sequence[TokenizedText],
        *,
        row_weights: Sequence[NDArray[np.float32]] | None = None,
        on_tokens: OnTokens = lambda _n: None,
    ) -> list[TextScores]:
        """See `Scorer.score`."""
        self._warm_up(tokens, lambda short: super(MeteredScorer, self).score(probe, short))
        start = time.perf_counter()
        found = super().score(probe, tokens, row_weights=row_weights, on_tokens=on_tokens)
        self._count(probe.model, tokens, time.perf_counter() - start)
        return found

    def predict(
        self, model: "PreTrainedModel", tokens: Sequence[TokenizedText], *, on_tokens: OnTokens = lambda _n: None
    ) -> list[TextPredictions]:
        """See `Scorer.predict`."""
        self._warm_up(tokens, lambda short: super(MeteredScorer, self).predict(model, short))
        start = time.perf_counter()
        found = super().predict(model, tokens, on_tokens=on_tokens)
        self._count(model, tokens, time.perf_counter() - start)
        return found

    def _warm_up(self, tokens: Sequence[TokenizedText], run: Callable[[list[TokenizedText]], object]) -> None:
        if not self.meter.costs:  # a model's first pass pays for what later ones find ready
            run([beginning(max(tokens, key=len), min(_WARM_UP_TOKENS, self.options.window - 1))])

    def _count(self, model: "PreTrainedModel", tokens: Sequence[TokenizedText], seconds: float) -> None:
        self.meter.add(model, window=self.options.window, tokens=sum(map(len, tokens)), seconds=seconds)


def beginning(text: TokenizedText, n: int) -> TokenizedText:
    """The first `n` tokens of a text."""
    return TokenizedText(text.ids[:n], text.starts[:n], text.ends[:n])
