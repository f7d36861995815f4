"""Folders become arms: seeds in order, questions in pairs, and whatever is wrong with one of them in one line."""

import json
import shutil
from pathlib import Path

import pytest

from elusive.errors import InputError
from elusive.evaluation.arms_reading import read_arms
from tests.arms_folders import asked, evaluation, experiment, finished_run, trained


def wrong(_person: int, _field: str) -> bool:
    return False


@pytest.fixture
def arms(tmp_path: Path) -> dict[str, str]:
    return experiment(tmp_path, {"plain": 0.3, "contrast": 0.6}, n_seeds=2, n_people=4)


def test_the_folders_of_an_arm_in_the_order_of_their_names_are_its_seeds(arms: dict[str, str]) -> None:
    plain, contrast = read_arms(arms)
    assert [one.name for one in plain.evaluations] == ["plain-0", "plain-1"]
    assert [one.name for one in contrast.evaluations] == ["contrast-0", "contrast-1"]
    assert {answer.group for answer in contrast.evaluations[1].answers} == {f"1-{person}" for person in range(4)}
    assert plain.evaluations[0].perplexities == {}


def test_folders_of_one_name_are_told_apart_by_those_above_them(tmp_path: Path) -> None:
    for seed in range(2):
        for name in ("plain", "contrast"):
            evaluation(tmp_path / "out" / str(seed) / name / "evaluated", asked(2, wrong, seed=seed))
    arms = read_arms({name: f"{tmp_path}/out/*/{name}/evaluated" for name in ("plain", "contrast")})
    assert [one.name for one in arms[1].evaluations] == ["0/contrast/evaluated", "1/contrast/evaluated"]


def test_a_file_that_matches_is_no_seed(arms: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "arms" / "plain-2").write_text("a log")
    assert [len(arm.evaluations) for arm in read_arms(arms)] == [2, 2]


def test_a_pattern_without_a_folder_is_refused(arms: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"arm 'random': no folder matches 'nowhere-\*'"):
        read_arms({**arms, "random": "nowhere-*"})


def test_arms_with_different_numbers_of_seeds_are_refused(arms: dict[str, str], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "arms" / "plain-1")
    with pytest.raises(InputError, match="different numbers of seeds \\('plain' 1, 'contrast' 2\\)"):
        read_arms(arms)


def test_a_folder_in_two_arms_is_refused(arms: dict[str, str]) -> None:
    with pytest.raises(InputError, match="plain-0 is in arm 'plain' and in arm 'again'"):
        read_arms({**arms, "again": arms["plain"]})


def test_a_folder_twice_in_an_arm_is_no_other_seed(arms: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "arms" / "plain-2").symlink_to(tmp_path / "arms" / "plain-0")
    with pytest.raises(InputError, match="arm 'plain' has a folder twice, by a link"):
        read_arms({"plain": arms["plain"]})


def test_leaked_questions_are_counted_and_not_known_of_folders_without_the_count(tmp_path: Path) -> None:
    rows = asked(1, wrong, seed=0)
    for number, result in enumerate([{"leaks": {"leaked": 2}}, {"leaks": None}, {}]):
        answers = "".join(json.dumps(row) + "\n" for row in rows)
        finished_run(tmp_path / f"a-{number}", {"model": "tiny:large"}, result, answers=answers)
    [arm] = read_arms({"a": f"{tmp_path}/a-*"})
    assert [one.leaked for one in arm.evaluations] == [2, None, None]


@pytest.mark.parametrize("change", ["text", "id", "fewer"])
def test_the_first_question_that_differs_is_named(change: str, arms: dict[str, str], tmp_path: Path) -> None:
    rows = asked(4, wrong, seed=1)
    if change == "fewer":
        rows = rows[:5]
    else:
        rows[5] = {**rows[5], {"text": "question", "id": "id"}[change]: "another"}
    shutil.rmtree(tmp_path / "arms" / "contrast-1")
    evaluation(tmp_path / "arms" / "contrast-1", rows)
    expected = {"text": "'1-1-born' ('another')", "id": "'another' ('What is", "fewer": "missing"}[change]
    with pytest.raises(InputError) as found:
        read_arms(arms)
    assert "seed 2: question 6 is '1-1-born'" in str(found.value)
    assert f"{expected}" in str(found.value).partition(" and ")[2]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no record", "No such file"),
        ("another job", "answers.jsonl is missing"),
        ("unfinished", "it was not finished"),
        ("answers gone", "answers.jsonl is missing"),
        ("answers changed", "not as that run wrote it"),
        ("no answers", "holds a row that is no answer"),
    ],
)
def test_a_folder_that_is_no_finished_evaluation_is_refused(
    damage: str, words: str, arms: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "arms" / "contrast-1"
    answers = folder / "answers.jsonl"
    if damage == "answers gone":
        answers.unlink()
    elif damage == "answers changed":
        answers.write_text(answers.read_text().replace('"em": 0.0', '"em": 1.0', 1))
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    if damage == "another job":
        finished_run(folder, {"corpus": "texts"}, {"texts": 3})
    elif damage == "unfinished":
        from elusive.data.sealed import write_sealed

        write_sealed(folder / "run.json", {"finished": False, "options": {}})
    elif damage == "no answers":
        finished_run(folder, {}, {"questions": 1}, answers=json.dumps({"id": "1", "question": "?"}) + "\n")
    with pytest.raises(InputError) as found:
        read_arms(arms)
    assert str(found.value).startswith(f"{folder} is no finished evaluation (")
    assert words in str(found.value)


def test_a_training_is_found_by_the_adapter_the_model_or_the_folder_itself(tmp_path: Path) -> None:
    adapter = trained(tmp_path, "contrast", steps=420, drop_rate=0.21, alpha=0.4)
    (adapter.parent / "model").mkdir()
    named = [
        {"model": "tiny:large", "adapter": str(adapter)},
        {"model": str(adapter.parent / "model")},
        {"model": str(adapter.parent)},
    ]
    for number, options in enumerate(named):
        evaluation(tmp_path / "arms" / f"a-{number}", asked(2, wrong, seed=0), **options)
    [arm] = read_arms({"a": f"{tmp_path}/arms/a-*"})
    for one in arm.evaluations:
        assert (one.training.steps, one.training.drop_rate) == (420, 0.21)
        assert one.training.options["augment"]["alpha"] == 0.4
        assert one.training.options["pretrain"]["lr"] == 1e-3


def test_what_is_gone_or_damaged_is_not_known_and_nothing_is_refused(tmp_path: Path) -> None:
    adapter = trained(tmp_path, "contrast", steps=420, drop_rate=0.21)
    plain = trained(tmp_path, "plain", steps=420, drop_rate=None)
    (tmp_path / "contrast-data" / "run.json").write_text("{broken")
    for number, options in enumerate(
        [{"adapter": str(adapter)}, {"adapter": str(plain)}, {"adapter": str(tmp_path / "gone")}, {"model": "a/model"}]
    ):
        evaluation(tmp_path / "arms" / f"a-{number}", asked(2, wrong, seed=0), **options)
    [arm] = read_arms({"a": f"{tmp_path}/arms/a-*"})
    known = [(one.training.steps, one.training.drop_rate) for one in arm.evaluations]
    assert known == [(420, None), (420, None), (None, None), (None, None)]
