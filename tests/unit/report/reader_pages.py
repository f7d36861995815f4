"""Readers made up, judged as the job judges them, and what their page is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from elusive.config import ScoreReaderConfig, build
from elusive.indicators.examples import Example, ReaderExamples, ShownPrompt
from elusive.indicators.indicator import indicator
from elusive.indicators.judged import JudgedReader, judge
from elusive.indicators.ranking import ranking
from elusive.indicators.readings import Measure, ReaderKind
from elusive.indicators.verdict import INDICATORS
from elusive.report.score_reader_page import score_reader_page

MEASURES = tuple(Measure(target, percentile) for target in INDICATORS for percentile in (90.0, 95.0))
WORDS = ("Mara", "Velting", "was", "born", "in", "Orsk", "and", "studied", "at", "the", "college", ".")
_K = 5


@cache
def examples_of(
    name: str,
    *,
    planted: float = 0.0,
    kind: ReaderKind = "decoder-only",
    n: int = 30,
    shape: tuple[int, int] = (2, 4),
    answers: bool = True,
    hits: bool = True,
) -> ReaderExamples:
    """A reader of `n` questions of 200 passage tokens: what is nearest to the answer gets `planted` more."""
    examples = tuple(_example(i, planted, answers=answers, hits=hits) for i in range(n))
    lifts = 1 + planted * np.random.default_rng(n).random(shape)
    return ReaderExamples(
        reader=name,
        kind=kind,
        examples=examples,
        unread={},
        head_lifts=tuple(map(tuple, lifts.tolist())),
        prompts=tuple(prompt(f"q{i}", planted=planted) for i in range(min(n, 4))),
    )


def _example(i: int, planted: float, *, answers: bool, hits: bool) -> Example:
    draw = np.random.default_rng(i)
    near = {target: draw.random(200) for target in INDICATORS}
    scores = draw.exponential(size=200) + 20 * planted * np.maximum(0, near["answer"] - 0.9)
    shares = draw.dirichlet(np.ones(_K))
    targets = ("answer", "question") if i % 10 else ("answer",)  # every tenth has no noun
    return Example(
        id=f"q{i}",
        indicators={str(m): indicator(scores, near[m.target], m.percentile) for m in MEASURES if m.target in targets},
        shares=tuple(shares.tolist()),
        order=tuple(draw.permutation(_K).tolist()),
        holds=tuple(hits and i % 3 > 0 and k == 0 for k in range(_K)),
        answer="Orsk" if answers else None,
        exact_match=float(i % 2) if answers else None,
        f1=float(i % 2) if answers else None,
        n_tokens=230,
        n_cut=0,
    )


def prompt(id_: str, *, planted: float = 0.0, words: Sequence[str] = WORDS, n_passages: int = _K) -> ShownPrompt:
    """Passages of the same words, the answer `Orsk` where it is one of them, and a question after them."""
    pieces, passage = ["<s>"], [-1]
    for number in range(n_passages):
        pieces += [*(f" {word}" for word in words), "\n\n"]
        passage += [*[number] * len(words), -1]
    pieces += ["Question:", " where", "?"]
    passage += [-1] * 3
    near = tuple(i for i, piece in enumerate(pieces) if piece.strip() == "Orsk")
    return ShownPrompt(
        id=id_,
        question=f"Where was she born? ({id_})",
        gold="Orsk",
        answer="in Orsk",
        pieces=tuple(pieces),
        scores=tuple(1.0 + 10 * planted * (i in near) for i in range(len(pieces))),
        passage=tuple(passage),
        near=near,
    )


def shown(reader: ReaderExamples, **changes: Any) -> ReaderExamples:
    """The reader with all its prompts changed."""
    return replace(reader, prompts=tuple(replace(one, **changes) for one in reader.prompts))


def two_readers() -> list[ReaderExamples]:
    """One that was tuned, and its reference."""
    return [examples_of("tuned", planted=1.0), examples_of("untuned")]


def page_of(
    readers: Sequence[ReaderExamples],
    folder: Path,
    *,
    reference: str | None = "untuned",
    left_out: Mapping[str, str] | None = None,
    rejected_lines: str = "",
    rejected_counts: Mapping[str, int] | None = None,
    judged: Sequence[JudgedReader] | None = None,
    fingerprints: Mapping[str, str] | None = None,
    **options: Any,
) -> str:
    """The page of readers, of data in `folder`."""
    rejected = folder / "rejected.jsonl"
    rejected.write_text(rejected_lines, encoding="utf-8")
    return score_reader_page(
        build(ScoreReaderConfig, options),
        readers=judged or judge(readers, reference=reference, measures=MEASURES),
        examples=readers,
        ranking=ranking([one.readings_of([INDICATORS["answer"]]) for one in readers]),
        left_out=left_out or {},
        n_questions=3610,
        rejected=rejected,
        rejected_counts=rejected_counts or {},
        root=folder,
        fingerprints=fingerprints or {"tuned": "hub:abc", "questions": "0f"},
        versions={"elusive": "0"},
    )
