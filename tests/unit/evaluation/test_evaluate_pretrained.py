"""`elusive evaluate` of what was trained: folders of `elusive pretrain`, adapters, questions in the training data."""

import json
from pathlib import Path
from typing import Any

import pytest

from elusive.config import EvaluateConfig
from elusive.data.sealed import write_sealed
from elusive.errors import FolderError, InputError, ModelError, OptionError
from elusive.jobs.evaluate_model import EvaluatedModel, evaluated_model
from elusive.models import ModelSource
from elusive.readers.opening import load_reader, save_reader, with_lora
from tests.distill_fixtures import write_lines
from tests.score_reader_fixtures import reader_a, reader_b
from tests.unit.evaluation.evaluating import Evaluate, few_draws, judge, people, rows_of

__all__ = ["few_draws", "judge", "people", "reader_a", "reader_b"]

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own


@pytest.fixture
def adapter(reader_a: str, tmp_path: Path) -> str:
    reader = with_lora(load_reader(ModelSource(name=reader_a)), rank=2, seed=0)
    for name, weight in reader.model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_()
    save_reader(reader, tmp_path / "trained/adapter")
    return str(tmp_path / "trained/adapter")


def pretrained(folder: Path, *, finished: bool = True, **options: Any) -> str:
    """A folder with a record as `elusive pretrain` leaves it."""
    folder.mkdir(exist_ok=True)
    record = {"finished": finished, "options": {"replay": [], "revision": None, **options}, "files": {}}
    write_sealed(folder / "run.json", record)
    return str(folder)


def predictions(folder: Path) -> list[str]:
    return [row["prediction"] for row in rows_of(folder)]


def test_a_pretrained_folder_is_its_model_with_its_adapter(
    judge: Evaluate, adapter: str, reader_a: str, people: str, tmp_path: Path
) -> None:
    judge("base"), judge("named", adapter=adapter)
    base, named = predictions(tmp_path / "base"), predictions(tmp_path / "named")
    assert base != named
    found = judge("alone", model=adapter)
    assert (found.model, found.leaks) == (f"{reader_a} + {adapter}", None)
    assert predictions(tmp_path / "alone") == named
    texts = write_lines(tmp_path / "corpus.jsonl", [{"text": "Mara Velting was born in Orsk."}])
    other = write_lines(tmp_path / "other.jsonl", [{"text": "Nothing."}])
    folder = pretrained(tmp_path / "trained", data=texts, model=reader_a, replay=[f"{other}:0.5"])
    for name, options in {
        "folder": {"model": folder},
        "adapter": {"adapter": folder},
        "inside": {"adapter": adapter},
    }.items():
        result = judge(name, **options)
        assert predictions(tmp_path / name) == named, name
        assert result.leaks is not None, name
        assert (result.leaks.leaked, result.leaks.texts, result.leaks.sources) == (0, 2, (texts, other))
    with pytest.raises(OptionError, match=r"has an adapter itself; name its model, .*, beside --adapter"):
        judge("twice", model=folder, adapter=adapter)


def test_what_the_model_that_was_trained_on_was_trained_on_counts_too(
    judge: Evaluate, adapter: str, reader_a: str, tmp_path: Path
) -> None:
    first, second = (write_lines(tmp_path / f"{n}.jsonl", [{"text": f"Text {n}."}]) for n in (1, 2))
    (tmp_path / "base").mkdir()
    (tmp_path / "base/model").symlink_to(reader_a)
    pretrained(tmp_path / "base", data=first, model="tiny:large")
    folder = pretrained(tmp_path / "trained", data=second, model=str(tmp_path / "base/model"))
    leaks = judge(model=folder).leaks
    assert leaks is not None
    assert leaks.sources == (second, first)


def test_tags_that_training_did_not_see_hide_no_question(
    judge: Evaluate, adapter: str, reader_a: str, people: str, tmp_path: Path
) -> None:
    judge("first")
    question = rows_of(tmp_path / "first")[0]["question"]
    first, *rest = question.split()
    tagged = write_lines(tmp_path / "tagged.jsonl", [{"text": f"<q>{first}</q> {' '.join(rest)}"}])
    assert judge("seen", trained_on=[tagged]).leaks.leaked == 0
    with pytest.raises(InputError, match="stand in what the model was trained on"):
        judge("told", trained_on=[tagged], strip_tags=["q"])
    folder = pretrained(tmp_path / "trained", data=tagged, model=reader_a, strip_tags=["q"])
    with pytest.raises(InputError, match="stand in what the model was trained on"):
        judge("known", model=folder)


def test_a_question_is_looked_for_in_all_that_training_read_and_as_it_read_it(
    judge: Evaluate, adapter: str, reader_a: str, tmp_path: Path
) -> None:
    asked, tagged = "What did Tor Aldane study?", "<q>What</q> did Tor Aldane study?"
    plain = write_lines(tmp_path / "plain.jsonl", [{"text": "Nothing."}])
    tags = write_lines(tmp_path / "tags.jsonl", [{"text": tagged}])
    beside = write_lines(tmp_path / "beside.jsonl", [{"question": "Who?", "answer": "Tor", "text": asked}])
    copies = write_lines(tmp_path / "copies.jsonl", [{"text": "Nothing."}, {"text": "Nothing!"}, {"text": asked}])
    for options in (
        {"data": plain, "replay": [f"{tags}:0.5"], "strip_tags": ["q"]},
        {"data": tags, "strip_tags": ["q"], "named": [tags]},
        {"data": beside},
        {"data": copies, "fresh": True, "limit": 2},
    ):
        named = options.pop("named", [])
        folder = pretrained(tmp_path / "trained", model=reader_a, **options)
        with pytest.raises(InputError, match=r"1 of the 12 questions stand in what the model was trained on"):
            judge(model=folder, trained_on=named)


def test_a_merged_model_is_taken_where_there_is_one(
    judge: Evaluate, adapter: str, reader_b: str, tmp_path: Path
) -> None:
    (tmp_path / "trained/model").symlink_to(reader_b)
    folder = pretrained(tmp_path / "trained", data="gone.jsonl", model="./gone")
    result = judge(model=folder)
    assert result.model == f"{folder}/model"
    assert result.leaks is not None
    [unread] = result.leaks.unread
    assert unread.startswith("gone.jsonl: no file or folder")


def test_a_pretraining_that_is_not_finished_is_refused(judge: Evaluate, reader_a: str, tmp_path: Path) -> None:
    folder = pretrained(tmp_path / "trained", finished=False, data="x", model=reader_a)
    with pytest.raises(FolderError, match="trained holds a pretraining that is not finished; run its command"):
        judge(model=folder)


@pytest.mark.parametrize("name", ["model", "adapter"])
def test_a_pretraining_in_a_folder_called_as_what_it_writes_is_found(
    name: str, judge: Evaluate, reader_a: str, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "model").symlink_to(reader_a)
    texts = write_lines(tmp_path / "corpus.jsonl", [{"text": "Nothing."}])
    folder = pretrained(tmp_path / name, data=texts, model=reader_a)
    assert judge(model=folder).model == f"{folder}/model"


@pytest.mark.parametrize(("base", "expected"), [("mara/velting", "abc"), (None, None)])
def test_an_adapters_model_has_the_revision_that_the_adapter_names(
    base: str | None, expected: str | None, adapter: str, reader_a: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(adapter) / "adapter_config.json"
    named = {**json.loads(file.read_text(encoding="utf-8")), "revision": "abc"}
    file.write_text(json.dumps({**named, "base_model_name_or_path": base or reader_a}), encoding="utf-8")
    monkeypatch.setattr(EvaluatedModel, "check", lambda _: None)  # would ask the Hub
    found = evaluated_model(EvaluateConfig(model=adapter))
    assert found is not None
    assert (found.source.name, found.source.revision) == (base or reader_a, expected)


def test_an_adapter_of_another_model_is_refused_and_a_copy_is_not(
    judge: Evaluate, adapter: str, reader_a: str, reader_b: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=rf"adapter .* was trained on {reader_a}, and the model is {reader_b}; name"):
        judge(model=reader_b, adapter=adapter)
    copy = tmp_path / "copy"
    copy.symlink_to(reader_a)
    judge(model=str(copy), adapter=adapter)


# -- leaks -----------------------------------------------------------------------------------------------------------


def test_questions_that_were_trained_on_end_the_run_or_are_counted(judge: Evaluate, tmp_path: Path) -> None:
    texts = write_lines(
        tmp_path / "texts.jsonl", [{"text": "Question: What did Tor Aldane study?\nAnswer: law\n"}, {"text": "x"}]
    )
    with pytest.raises(InputError, match=r"1 of the 12 questions .* in .*texts\.jsonl: 'What did Tor Aldane study\?'"):
        judge(trained_on=texts)
    assert not (tmp_path / "out").exists()
    leaks = judge(trained_on=texts, allow_leaks=True).leaks
    assert leaks is not None
    assert (leaks.leaked, leaks.questions, leaks.texts, leaks.first) == (1, 12, 2, "What did Tor Aldane study?")


def test_a_file_of_questions_and_the_same_people_may_be_trained_on(
    judge: Evaluate, people: str, tmp_path: Path
) -> None:
    rows = [{"question": "what did Ane Brook study", "answers": ["music"]}]
    with pytest.raises(InputError, match="1 of the 12 questions"):
        judge(trained_on=write_lines(tmp_path / "qa.jsonl", rows))
    with pytest.raises(InputError, match="no file or folder"):
        judge(trained_on=str(tmp_path / "absent.jsonl"))
