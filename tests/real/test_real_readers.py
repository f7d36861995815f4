"""`score-reader` on real readers: finite figures, the same alone and in a batch, in a chat template and without."""

import json
from pathlib import Path

import numpy as np
import pytest

from elusive.data.question_files import read_questions
from elusive.embedded import path_of
from elusive.jobs.score_reader import score_reader
from elusive.metrics import has_answer
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.readers.opening import load_reader
from elusive.readers.reader import ReaderOptions

QUIET = Bars(quiet=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four questions that a passage answers, two passages each; one of them in other scripts."""
    rows = [json.loads(line) for line in path_of("sample:miniature-dev").read_text(encoding="utf-8").splitlines()]
    hits = [row for row in rows if any(has_answer(passage["text"], row["answers"]) for passage in row["passages"][:2])]
    chosen = hits[:4]
    chosen[0]["passages"][1]["text"] = "日本語 😀 " + chosen[0]["passages"][1]["text"]
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in chosen), encoding="utf-8")
    return path


def test_readers_are_measured_and_what_is_done_stays_done(smollm: str, gemma: str, data: Path, tmp_path: Path) -> None:
    options = {"reader": smollm, "reference": gemma, "k": 2, "max_new_tokens": 6, "out": tmp_path / "out"}
    result = score_reader(data, progress=QUIET, **options)
    assert (result.samples, result.left_out) == (4, {})
    assert len(result.ranking) == 2
    for reader in result.readers:
        assert (reader.samples, reader.unread) == (4, 0)
        assert 0 <= reader.em <= reader.f1 <= 1
        lifts = np.array(reader.head_lifts)
        assert np.isfinite(lifts).all()
        assert (lifts >= 0).all()
        assert sum(reader.slots) == pytest.approx(1)
    assert score_reader(data, progress=QUIET, **options).already_done


@pytest.mark.parametrize("chat", [False, True])
def test_a_question_alone_is_read_as_in_a_batch(smollm: str, data: Path, chat: bool) -> None:
    questions = list(read_questions(data, limit=2, on_rejected=pytest.fail))
    source = ModelSource(name=smollm, dtype="float32")
    reader = load_reader(source, options=ReaderOptions(chat=chat, batch_size=2))
    together = reader.scores(questions)
    for question, among in zip(questions, together, strict=True):
        [alone] = reader.scores([question])
        assert ("<|im_start|>user" in alone.tokens.text) is chat
        np.testing.assert_allclose(alone.token_scores, among.token_scores, rtol=2e-3, atol=1e-7)
        assert alone.target.sum() == pytest.approx(1)
        assert "".join(alone.tokens.pieces).count(question.passages[0].text[:20]) >= 1
