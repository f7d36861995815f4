"""Files of questions damaged at random: a sample to be asked and read, rows set aside, or one line; never a crash."""

from pathlib import Path

import pytest

from elusive.choices import Rows
from elusive.config import ScoreReaderConfig
from elusive.jobs.reader_runs import measures_of
from elusive.jobs.reading import Reading
from elusive.jobs.readings_store import ReadingsStore
from elusive.models import ModelSource
from elusive.readers.opening import load_reader
from elusive.readers.reader import Reader, ReaderOptions
from tests.fuzz.asking import asking_of
from tests.fuzz.question_mutants import QUESTION_SEEDS, question_mutant, strange_records
from tests.fuzz.tally import Tally, share
from tests.tiny import save_llama

READ = "questions of any JSON value, asked and read"


@pytest.mark.parametrize("name", QUESTION_SEEDS)
@pytest.mark.timeout(600)
def test_a_damaged_file_of_questions_is_asked_or_refused_and_never_more(
    name: str, tmp_path: Path, tally: Tally
) -> None:
    rows: Rows = "generated" if name.startswith("beir") else "predicting"  # it has no answers
    for seed in range(share(500, usual=30)):
        (tmp_path / name).write_bytes(question_mutant(name, seed))
        asking = asking_of(tmp_path / name, tmp_path / "out", passages=_passages(tmp_path), rows=rows)
        tally.note(f"damaged questions: {name}", asking.outcome, asking.line, hide=[tmp_path])


@pytest.mark.parametrize("name", QUESTION_SEEDS)
def test_the_file_itself_is_asked_rightly(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(QUESTION_SEEDS[name])
    asking = asking_of(tmp_path / name, tmp_path / "out", passages=_passages(tmp_path), rows="generated")
    assert asking.asked is not None
    assert len(asking.asked.questions) == 24
    assert not asking.line


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Untaught, with a context that some of the questions do not fit."""
    folder = save_llama(tmp_path_factory.mktemp("reader"), seed=0, layers=1, width=16, context=256)
    return load_reader(ModelSource(name=folder), options=ReaderOptions(max_new_tokens=3))


@pytest.mark.timeout(600)
def test_whatever_can_be_asked_is_read_or_told_and_kept(reader: Reader, tmp_path: Path, tally: Tally) -> None:
    source, passages = tmp_path / "asked.jsonl", _passages(tmp_path)
    measures = measures_of(ScoreReaderConfig())
    for seed in range(share(300, usual=15)):
        source.write_bytes(strange_records(seed, n=6))
        asking = asking_of(source, tmp_path / "out", passages=passages if seed % 2 else None)
        if asking.asked is None:
            tally.note(READ, "refused", asking.line, hide=[tmp_path])
            continue
        reading = Reading(
            measures=measures,
            nouns="textblob",
            own_answers=bool(seed % 3),
            rows_are_its_own=False,
            shuffle_seed=seed,
            batch_size=4,
        )
        chunk = reading.read(reader, asking.asked.questions)
        read = [example.id for example in chunk.examples]
        assert sorted([*read, *chunk.unread]) == sorted(question.id for question in asking.asked.questions)
        store = ReadingsStore(tmp_path / "store", {"seed": seed}, on_damage=pytest.fail)
        store.add(asking.asked.questions, chunk)
        assert repr(store.get(asking.asked.questions)) == repr(chunk), "not what was kept"
        tally.note(READ, "survived")


def _passages(folder: Path) -> Path:
    """Some that share words with the questions."""
    file = folder / "passages.jsonl"
    file.write_text('{"text": "Goethe wrote Faust, and more."}\n{"text": "東京の人口は?"}\n', encoding="utf-8")
    return file
