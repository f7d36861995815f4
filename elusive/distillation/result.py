"""What a distillation came to, and what it would take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elusive.distillation.evaluation import CUTS, gain


@dataclass(frozen=True, kw_only=True)
class HitRate:
    """HR@k of one set of questions.

    Attributes:
        start: of the initial retriever.
        best: of the one that is kept, the best on dev.
        end: of the last one; None on test, which it was not measured on.
        gain: of the one that is kept, over the initial one.
        ci: 95 % interval of the gain, paired over questions.
    """

    start: float
    best: float
    end: float | None
    gain: float
    ci: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How well the reader answers from what the retriever finds, at the start and with the best."""

    em: tuple[float, float]
    f1: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What the indicators said of the reader, and whether the run went on.

    Attributes:
        word: the verdict by indicator 1; None where the gate was not asked.
        reason: in words.
        passed: whether the retriever was trained.
    """

    word: str | None
    reason: str
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Before:
    """What is known before the retriever learns.

    Attributes:
        gate: of the reader.
        dev, test: ranks of the first hits; empty where there are no such questions.
        answers: EM and F1 on dev; None without a reader.
        unanswerable: dev questions that no passage answers; None where it was not counted.
    """

    gate: Gate
    dev: tuple[int, ...]
    test: tuple[int, ...]
    answers: tuple[float, float] | None
    unanswerable: int | None


@dataclass(frozen=True, kw_only=True)
class After:
    """What is known of the retriever that is kept; as `Before`."""

    test: tuple[int, ...]
    answers: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class DistillResult:
    """What a run made.

    Attributes:
        hr: HR@1, @5 and @20 on dev, by k.
        test: the same on test questions; empty where there are none, or no retriever was trained.
        answers: of dev; None where there is no reader, or no retriever was trained.
        steps: of the retriever.
        best_step: after which the one that is kept was.
        stopped_by: `steps`, `gate`, or the words of what ended the run before its last step.
        gate: of the reader.
        unanswerable: dev questions that no passage answers; None where it was not counted.
        warnings: of the teacher, and of questions that are in two sets.
        passages, train, dev: how many.
        rejected: rows set aside.
        seconds: per stage of this call.
        peak_bytes: largest resident memory of the process.
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
    """

    hr: Mapping[str, HitRate]
    test: Mapping[str, HitRate]
    answers: Answers | None
    steps: int
    best_step: int
    stopped_by: str
    gate: Gate
    unanswerable: int | None
    warnings: tuple[str, ...]
    passages: int
    train: int
    dev: int
    rejected: int
    seconds: Mapping[str, float]
    peak_bytes: int
    already_done: bool = False
    out: str


def hit_rates(ranks: Mapping[str, Sequence[int]], *, seed: int) -> dict[str, HitRate]:
    """HR@k from the ranks of first hits at the start, with the best and at the end (`LoopState.ranks`)."""
    found = {}
    for k in CUTS:
        start, best = (_share(ranks[when], k) for when in ("start", "best"))
        end = _share(ranks["end"], k) if "end" in ranks else None
        risen = gain(ranks["best"], ranks["start"], k=k, seed=seed)
        ci = None if risen.low is None or risen.high is None else (risen.low, risen.high)
        found[str(k)] = HitRate(start=start, best=best, end=end, gain=best - start, ci=ci)
    return found


def answers_of(before: Before, after: After | None) -> Answers | None:
    """EM and F1 at the start and with the best; None where either is not known."""
    if before.answers is None or after is None or after.answers is None:
        return None
    return Answers(em=(before.answers[0], after.answers[0]), f1=(before.answers[1], after.answers[1]))


def _share(ranks: Sequence[int], k: int) -> float:
    return sum(0 <= rank < k for rank in ranks) / len(ranks)
