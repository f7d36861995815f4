"""The collector of tiny-rag, on a small made folder."""

import json

import pytest

approx = pytest.approx

QUESTIONS = ("q0", "q1", "q2", "q3")


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def answers(folder, *, right, questions=QUESTIONS):
    """The first `right` questions are hit and answered."""
    rows = [
        {"id": q, "em": float(n < right), "f1": float(n < right), "hits": {"1": False, "5": n < right, "20": True}}
        for n, q in enumerate(questions)
    ]
    write(folder / "answers.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def reader(name, lift, *, is_reference):
    figures = {
        "attention": 0.1,
        "lift": lift,
        "spearman": 0.2,
        "ci": {"lift": [lift - 1, lift + 1], "spearman": [0, 1]},
    }
    percentiles = {"p95": figures, "p90": figures}
    return {
        "reader": name,
        "is_reference": is_reference,
        "verdict": "n/a" if is_reference else "good",
        "em": 0.5,
        "em_given_hit": 0.7,
        "indicators": {"answer": percentiles, "question": percentiles},
    }


@pytest.fixture(scope="module")
def folder(benchmarks, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("rag")
    for arm in benchmarks.tiny_rag.ARMS:
        for seed in arm.seeds:
            right = 1 + seed if arm.name == benchmarks.tiny_rag.FINE_TUNED else 1
            answers(tmp_path / "answers" / arm.answers.format(seed=seed), right=right)
            result = {"hr": {"5": {"end": 0.1 * seed}}, "best_step": 7, "steps": 9, "gate": {"word": "good"}}
            if arm.run:
                run = tmp_path / "runs" / arm.run.format(seed=seed) / "run.json"
                write(run, json.dumps({"result": result | {"seconds": {"train": 1.0}}}))
    for number, run in enumerate(("tuned", *(f"off-the-shelf-{seed}" for seed in benchmarks.tiny_rag.SEEDS))):
        readers = [reader(run, 5 + number, is_reference=False), reader("reference", 1, is_reference=True)]
        write(tmp_path / "readers" / run / "run.json", json.dumps({"result": {"readers": readers}}))
    return tmp_path


@pytest.fixture(scope="module")
def content(benchmarks, folder):
    return benchmarks.tiny_rag.collected(folder)


def test_a_figure_is_the_mean_over_seeds_of_each_question(benchmarks, content):
    rows = {row["name"]: row for row in content["table 1"]}
    assert set(rows) == {arm.name for arm in benchmarks.tiny_rag.ARMS}
    tuned = rows[benchmarks.tiny_rag.FINE_TUNED]
    assert tuned["HR@5"]["seeds"] == [0.25, 0.5, 0.75]
    assert tuned["HR@5"]["mean"] == approx(0.5)
    assert tuned["over initial"]["HR@5"]["mean"] == approx(0.25)
    assert tuned["over fine-tuned"]["EM"]["low"] == tuned["over fine-tuned"]["EM"]["high"] == 0
    assert rows["perplexity"]["over initial"]["HR@20"]["mean"] == 0
    assert tuned["end"] == approx([0, 0.1, 0.2])


def test_the_reference_is_one_row_and_stands_first(content):
    rows = content["table 2"]
    assert [row["name"] for row in rows] == ["untuned", "tuned", *(f"off-the-shelf-{n}" for n in range(3))]
    assert rows[1]["answer lift p95"] == {"mean": 5, "low": 4, "high": 6}


def test_runs_of_other_questions_are_refused(benchmarks):
    one, other = ({q: {"EM": 1.0} for q in questions} for questions in (QUESTIONS, ("q0", "q1", "q2", "other")))
    assert benchmarks.tiny_rag.seeds_of([one, one], QUESTIONS, "EM").shape == (2, 4)
    with pytest.raises(ValueError, match="same questions"):
        benchmarks.tiny_rag.seeds_of([one, other], QUESTIONS, "EM")


def test_the_table_has_a_line_for_each_arm_and_reader(benchmarks, content):
    lines = benchmarks.tiny_rag.markdown(content).splitlines()
    assert sum(line.startswith("| ") for line in lines) == 2 + len(content["table 1"]) + len(content["table 2"])
    assert lines[2].startswith("| initial retriever | .000 (.000 to .000) |")
    assert lines[2].endswith("|  | -.250 (-.500 to +.000) |  |")


def test_the_folder_agrees_with_itself(benchmarks, content):
    assert benchmarks.agreement.disagreements(content, content) == []
