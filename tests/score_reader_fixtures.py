"""Tiny readers on disk, the miniature's questions that a passage answers, and the job run on them once."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from elusive import statistics
from elusive.embedded import path_of
from elusive.jobs import reader_runs, tolerance
from elusive.jobs import score_reader as job
from elusive.jobs.score_reader import ScoreReaderResult, score_reader
from elusive.metrics import has_answer
from elusive.progress import Bars
from tests.tiny import byte_bpe, save_llama

N_HITS = 24

MARA = {"id": "p1", "title": "Mara Velting", "text": "Mara Velting was born in Orsk and studied chemistry."}
LISK = {"id": "p2", "text": "She moved to Lisk in 1974; not one of her letters survived.", "score": 1.5}
KEYS = {"id": "p3", "title": "Archive", "text": "The archive lists 31 notebooks, a map and two keys."}
ROWS: tuple[dict[str, Any], ...] = (
    {"id": "born", "question": "Where was Mara Velting born?", "answers": ["Orsk"], "nouns": ["Mara Velting"]},
    {"id": "met", "question": "Who met her?", "answers": ["Tor Aldane", "Tor"], "target": "Tor", "nouns": []},
    {"id": "when", "question": "In which year did she move?", "answers": ["1974"], "nouns": ["year"]},
    {"id": "left", "question": "What did the archive of Brenn lose?", "answers": ["a boat"], "nouns": ["archive"]},
)
"""Questions, each with the three passages; no passage holds what the last one asks for, nor who met her."""


def question_rows(*, n: int = len(ROWS), **changes: Any) -> list[dict[str, Any]]:
    """Rows in Atlas's layout; where there are more than four, they come again under other ids."""
    return [
        {**row, "id": f"{row['id']}-{i // len(ROWS)}", "passages": [MARA, LISK, KEYS]} | changes
        for i in range(n)
        for row in [ROWS[i % len(ROWS)]]
    ]


def write_rows(file: Path, rows: list[dict[str, Any]]) -> str:
    """A file of JSON lines; its path."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def save_t5(folder: Path, *, seed: int) -> str:
    """A random encoder-decoder with peaked attention and its tokenizer, saved to `folder`; its path."""
    torch.manual_seed(seed)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 2, "num_heads": 4}
    ids = {"eos_token_id": 1, "pad_token_id": 2, "decoder_start_token_id": 2}
    model = T5ForConditionalGeneration(T5Config(vocab_size=512, n_positions=512, **sizes, **ids))
    for name, weight in model.named_parameters():
        if "Attention.q" in name or "Attention.k" in name:
            weight.data *= 2
    model.save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def reader_a(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_llama(tmp_path_factory.mktemp("reader") / "a", seed=1, context=512)


@pytest.fixture(scope="session")
def reader_b(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_llama(tmp_path_factory.mktemp("reader") / "b", seed=2, layers=1, context=512)


@pytest.fixture(scope="session")
def reader_t5(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_t5(tmp_path_factory.mktemp("reader") / "t5", seed=1)


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of six questions."""
    return write_rows(tmp_path_factory.mktemp("asked") / "questions.jsonl", question_rows(n=6))


class Miniature(NamedTuple):
    """The embedded readers over questions with an answer in a passage, and where all of that lies."""

    data: str
    out: Path
    readings: str
    result: ScoreReaderResult


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    return _miniature(tmp_path_factory.getbasetemp() / "miniature")


@functools.cache  # each conftest that imports the fixture has one of its own
def _miniature(folder: Path) -> Miniature:
    folder.mkdir()
    rows = [json.loads(line) for line in path_of("sample:miniature-dev").read_text(encoding="utf-8").splitlines()]
    hits = [row for row in rows if any(has_answer(passage["text"], row["answers"]) for passage in row["passages"])]
    data = write_rows(folder / "hits.jsonl", hits[:N_HITS])
    out, readings = folder / "out", str(folder / "readings")
    return Miniature(data, out, readings, score_reader(data, out=out, readings=readings, progress=Bars(quiet=True)))


ScoreReader = Callable[..., ScoreReaderResult]


@pytest.fixture
def collector_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting garbage takes longer than reading does, in a process that has run many tests."""
    for room in (reader_runs, tolerance):
        monkeypatch.setattr(room, "free_memory", lambda: None)


@pytest.fixture
def quick(collector_off: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes longest and is tested elsewhere: a page, and as many draws for an interval."""
    monkeypatch.setattr(job, "score_reader_page", lambda *_, **__: "a page")
    monkeypatch.setattr(statistics, "_RESAMPLES", 100)


@pytest.fixture
def score_and_show(asked: str, reader_a: str, reader_b: str, tmp_path: Path, collector_off: None) -> ScoreReader:
    """The job on six questions, one reader and its reference, quietly, into a folder of the test."""

    def run(out: str = "out", **options: Any) -> ScoreReaderResult:
        given = {"reader": reader_a, "reference": reader_b, "max_new_tokens": 4, "k": 2} | options
        return score_reader(given.pop("data", asked), out=tmp_path / out, progress=Bars(quiet=True), **given)

    return run


@pytest.fixture
def score(score_and_show: ScoreReader, quick: None) -> ScoreReader:
    """The same, quickly."""
    return score_and_show
