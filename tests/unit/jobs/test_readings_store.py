"""What readers made of questions is found again, exactly, under its own key alone; what is damaged is made again."""

import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from elusive.data.questions import Passage, Question
from elusive.errors import FolderError
from elusive.indicators.examples import Example, ShownPrompt
from elusive.indicators.indicator import Indicator
from elusive.jobs.reading import ReadChunk
from elusive.jobs.readings_store import ReadingsStore, strict_json

KEY = {"model": "files:1", "layers": [0, 1], "chat_template": None}
QUESTIONS = (
    Question("q1", "Where?", ("Orsk",), passages=(Passage("p", "", "In Orsk.", 0.1 + 0.2),), nouns=()),
    Question("q\u2028", "Who? 👩‍👩‍👧", ("Tor", "Aldane"), target="Tor"),
)
INDICATOR = Indicator(attention=1 / 3, lift=0.1 + 0.2, spearman=-1e-300, n_nearest=2, n_tokens=7)
EXAMPLE = Example(
    id="q1",
    indicators={"answer p95": INDICATOR, "question p99.9": replace(INDICATOR, spearman=math.nan)},
    shares=(1.0, 0.0),
    order=(1, 0),
    holds=(True, False),
    answer="",
    exact_match=0.0,
    f1=2 / 3,
    n_tokens=40,
    n_cut=3,
)
PROMPT = ShownPrompt(
    id="q1",
    question="Where?",
    gold="Orsk",
    answer=None,
    pieces=("", "In\u2028", " Orsk", "\ufffd"),
    scores=(0.5, 1e-45, 0.1, 2.0),
    passage=(-1, 0, 0, -1),
    near=(1, 2),
)
CHUNK = ReadChunk(
    examples=(EXAMPLE, replace(EXAMPLE, id="q2", answer=None, exact_match=None, f1=None)),
    unread={"q\u2028": "too long"},
    head_lifts=((1.5, 0.0), (2 / 3, 1e-9)),
    prompts=(PROMPT,),
)


class Store(ReadingsStore):
    """A store that keeps what it says."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.said: list[str] = []
        super().__init__(folder, KEY | changes, on_damage=self.said.append)


def same(one: ReadChunk | None, other: ReadChunk) -> bool:
    """Equal to the last bit; NaN is NaN."""
    return repr(one) == repr(other)


def chunk_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("chunk-*.json"))


def test_a_chunk_comes_back_exactly_and_what_is_not_defined_is_null(tmp_path: Path) -> None:
    Store(tmp_path).add(QUESTIONS, CHUNK)
    store = Store(tmp_path)
    assert same(store.get(QUESTIONS), CHUNK)
    assert store.said == []
    [file] = chunk_files(tmp_path)
    json.loads(file.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert math.isnan(store.get(QUESTIONS).examples[0].indicators["question p99.9"].spearman)


def test_a_chunk_of_nothing_read_comes_back(tmp_path: Path) -> None:
    nothing = ReadChunk(examples=(), unread={"q1": "why"}, head_lifts=(), prompts=())
    Store(tmp_path).add(QUESTIONS, nothing)
    assert Store(tmp_path).get(QUESTIONS) == nothing


@pytest.mark.parametrize(
    "changed",
    [
        QUESTIONS[:1],
        QUESTIONS[::-1],
        (replace(QUESTIONS[0], nouns=None), QUESTIONS[1]),
        (replace(QUESTIONS[0], answers=("orsk",)), QUESTIONS[1]),
        (replace(QUESTIONS[0], passages=(Passage("p", "", "In Orsk!", 0.1 + 0.2),)), QUESTIONS[1]),
    ],
    ids=["fewer", "order", "nouns", "answers", "passages"],
)
def test_other_questions_are_not_found(tmp_path: Path, changed: tuple[Question, ...]) -> None:
    store = Store(tmp_path)
    store.add(QUESTIONS, CHUNK)
    assert store.get(changed) is None
    assert store.said == []


def test_another_key_is_another_folder_and_the_key_is_written_down(tmp_path: Path) -> None:
    Store(tmp_path).add(QUESTIONS, CHUNK)
    other = Store(tmp_path, layers=[0])
    assert other.get(QUESTIONS) is None
    other.add(QUESTIONS, replace(CHUNK, unread={}))
    assert same(Store(tmp_path).get(QUESTIONS), CHUNK)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    keys = [json.loads((folder / "key.json").read_text(encoding="utf-8")) for folder in folders]
    assert sorted(map(str, (key["layers"] for key in keys))) == ["[0, 1]", "[0]"]


def test_a_key_in_another_order_or_of_tuples_is_the_same(tmp_path: Path) -> None:
    Store(tmp_path).add(QUESTIONS, CHUNK)
    turned = {name: KEY[name] for name in reversed(KEY)} | {"layers": (0, 1)}
    assert same(ReadingsStore(tmp_path, turned, on_damage=pytest.fail).get(QUESTIONS), CHUNK)


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "other"])
def test_what_is_damaged_is_said_set_aside_and_may_be_written_again(tmp_path: Path, damage: str) -> None:
    Store(tmp_path).add(QUESTIONS, CHUNK)
    [file] = chunk_files(tmp_path)
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "changed": content.replace(b'"n_cut": 3', b'"n_cut": 4'),
            "emptied": b"",
            "other": b"[1, 2]",
        }[damage]
    )
    store = Store(tmp_path)
    assert store.get(QUESTIONS) is None
    [line] = store.said
    assert line.startswith(f"{file}: ")
    assert line.endswith(f"set aside as {file.stem}.damaged, its questions are read again")
    assert file.with_suffix(".damaged").exists()
    store.add(QUESTIONS, CHUNK)
    assert same(store.get(QUESTIONS), CHUNK)
    assert len(store.said) == 1


def test_leftovers_of_killed_runs_go_and_those_of_runs_at_work_stay(tmp_path: Path) -> None:
    Store(tmp_path).add(QUESTIONS, CHUNK)
    [folder] = tmp_path.iterdir()
    old, new = (folder / f".chunk-{age}.elusive-tmp" for age in ("old", "new"))
    for file in (old, new):
        file.touch()
    os.utime(old, (0, 0))
    Store(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    assert Store(tmp_path / "store").get(QUESTIONS) is None
    assert not (tmp_path / "store").exists()


def test_a_store_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("mine")
    with pytest.raises(FolderError, match=r"^--readings .*store is a file; expected a folder$"):
        Store(tmp_path / "store")


def test_a_store_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderError, match=r"^cannot write readings to .*: Not a directory; mend it and .* --readings$"):
        Store(tmp_path / "file" / "store").add(QUESTIONS, CHUNK)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o500)
    with pytest.raises(FolderError, match=r"cannot write readings to .*: Permission denied"):
        Store(tmp_path / "store").add(QUESTIONS, CHUNK)


def test_strict_json_has_a_null_for_what_is_no_number() -> None:
    assert strict_json({"a": [math.nan, math.inf, 1.5], "b": "NaN"}) == {"a": [None, None, 1.5], "b": "NaN"}
    assert strict_json(asdict(EXAMPLE))["indicators"]["question p99.9"]["spearman"] is None
