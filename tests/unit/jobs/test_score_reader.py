"""`score_reader` from end to end: what is said of readers, what is read again, and that a bad one spoils no other."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elusive
from elusive.config import ScoreReaderConfig
from elusive.errors import ElusiveError, FolderError, InputError
from elusive.jobs import reader_runs, reader_sources
from elusive.jobs import score_reader as job
from elusive.jobs.reader_plan import plan_score_reader
from elusive.jobs.reading import Reading
from elusive.jobs.score_reader import PRODUCTS, ScoreReaderResult
from elusive.progress import Bars
from tests.files import contents
from tests.score_reader_fixtures import (
    N_HITS,
    Miniature,
    ScoreReader,
    question_rows,
    write_rows,
)
from tests.tiny import save_llama

QUIET = Bars(quiet=True)
TUNED, UNTUNED = "tiny:reader", "tiny:reader-untuned"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were loaded, in order."""
    found: list[str] = []
    load = reader_sources.load_reader

    def counted(source: Any, **options: Any) -> Any:
        found.append(source.name)
        return load(source, **options)

    monkeypatch.setattr(reader_sources, "load_reader", counted)
    return found


def products(folder: Path) -> dict[str, bytes]:
    """What a run has written."""
    return {name: (folder / name).read_bytes() for name in PRODUCTS}


def examples_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()]


# -- what is said of the miniature's readers -------------------------------------------------------------------------


def test_the_tuned_reader_is_good_and_its_figures_are_the_means_of_its_examples(miniature: Miniature) -> None:
    result = miniature.result
    tuned, untuned = result.readers
    assert (tuned.reader, untuned.reader) == (TUNED, UNTUNED)
    assert (tuned.is_reference, untuned.is_reference) == (False, True)
    assert (tuned.verdict, untuned.verdict) == ("good", "n/a")
    assert result.has_good
    assert result.ranking == (TUNED, UNTUNED)
    assert (result.questions, result.samples, result.rejected, dict(result.left_out)) == (N_HITS, N_HITS, 0, {})
    [difference] = result.differences
    assert (difference.better, difference.worse, difference.is_real) == (TUNED, UNTUNED, True)
    for reader in (tuned, untuned):
        mine = [row for row in examples_of(miniature.out) if row["reader"] == reader.reader]
        assert reader.samples == reader.hits == len(mine) == N_HITS
        for target in ("answer", "question"):
            for percentile in ("p90", "p95"):
                figures = reader.indicators[target][percentile]
                found = [row["indicators"][f"{target} {percentile}"] for row in mine]
                for name in ("attention", "lift", "spearman"):
                    values = np.array([one[name] for one in found if one[name] is not None])
                    assert getattr(figures, name) == pytest.approx(values.mean())
                    assert figures.sd[name] == pytest.approx(values.std(ddof=1))
                    low, high = figures.ci[name]
                    assert low < getattr(figures, name) < high
                assert figures.degenerate == sum(one["spearman"] is None for one in found)
                assert (figures.n, figures.without_target) == (N_HITS, 0)
                assert figures.few == sum(one["n_nearest"] < 10 for one in found)
        assert reader.em == np.mean([row["exact_match"] for row in mine]) == reader.em_given_hit
        assert reader.f1 == pytest.approx(np.mean([row["f1"] for row in mine]))
        assert reader.tokens == sum(row["n_tokens"] for row in mine)
        assert len(reader.slots) == len(reader.slot_hits) == 5
        assert sum(reader.slots) == pytest.approx(1)
        assert reader.indicators_given_hit == reader.indicators
    assert tuned.em > 0.7 > untuned.em
    assert np.array(tuned.head_lifts).max() > 3


def test_swapped_the_untuned_reader_is_not_good(miniature: Miniature, loads: list[str], tmp_path: Path) -> None:
    result = elusive.score_reader(
        miniature.data,
        reader=UNTUNED,
        reference=TUNED,
        out=tmp_path / "out",
        readings=miniature.readings,
        progress=QUIET,
    )
    assert loads == [], "both have read all of it already"
    assert result.readers[0].verdict == "poor"
    assert not result.has_good
    assert result.ranking == (TUNED, UNTUNED)
    assert "do not distil from it" in result.readers[0].advice


def test_the_result_is_json_of_the_agreed_shape(miniature: Miniature) -> None:
    told = json.loads(json.dumps(dataclasses.asdict(miniature.result), allow_nan=False))
    assert told.keys() >= {"readers", "ranking", "differences", "left_out", "questions", "samples", "rejected", "out"}
    for reader in told["readers"]:
        assert reader.keys() >= {"reader", "kind", "samples", "indicators", "em", "f1", "verdict", "why", "advice"}
        assert reader["indicators"].keys() == {"answer", "question"}
        for by_percentile in reader["indicators"].values():
            assert by_percentile.keys() == {"p90", "p95"}
            for figures in by_percentile.values():
                assert figures.keys() >= {"attention", "lift", "spearman", "sd", "ci", "n", "degenerate"}
                assert figures["sd"].keys() == figures["ci"].keys() == {"attention", "lift", "spearman"}
    assert told["out"] == str(miniature.out)


def test_what_is_written_is_sealed_and_strict_json(miniature: Miniature) -> None:
    run = json.loads((miniature.out / "run.json").read_text(encoding="utf-8"))
    assert run["finished"]
    assert run["files"].keys() == {"questions.jsonl", "rejected.jsonl", "examples.jsonl"}
    assert {file.name for file in miniature.out.iterdir()} == {*run["files"], "run.json", "report.html", ".elusive"}
    for line in (miniature.out / "examples.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_names_are_public() -> None:
    assert elusive.score_reader is job.score_reader
    assert elusive.ScoreReaderResult is ScoreReaderResult
    assert {"score_reader", "ScoreReaderResult"} <= set(elusive.__all__)


# -- again, otherwise, and on ----------------------------------------------------------------------------------------


def test_the_same_options_in_the_same_folder_find_the_run_done(
    score: ScoreReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = score()
    before = products(tmp_path / "out")
    monkeypatch.setattr(job, "ask", lambda *_, **__: pytest.fail("asked again"))
    again = score()
    assert (first.already_done, again.already_done) == (False, True)
    assert dataclasses.replace(again, already_done=False) == first
    assert products(tmp_path / "out") == before


def test_other_options_in_the_same_folder_are_refused_with_the_differences(score: ScoreReader, reader_b: str) -> None:
    score()
    with pytest.raises(
        FolderError, match=r"samples: 1000 there, 3 now\); name another --out, or start anew by --overwrite"
    ):
        score(samples=3)
    with pytest.raises(FolderError, match=r"reader: .* there, .* now.*keys: .* changed"):
        score(reader=reader_b, reference=None)


def test_overwrite_starts_anew_and_keeps_the_readings(score: ScoreReader, loads: list[str], tmp_path: Path) -> None:
    score()
    readings = contents(tmp_path, "out/readings")
    loads.clear()
    again = score(percentile=(), seed=0, overwrite=True)
    assert (again.already_done, loads) == (False, [])
    assert contents(tmp_path, "out/readings") == readings


def test_changed_data_are_noticed(score: ScoreReader, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", question_rows())
    score(data=data)
    write_rows(tmp_path / "data.jsonl", question_rows(n=5))
    with pytest.raises(FolderError, match=r"data_files: data\.jsonl changed"):
        score(data=data)


def test_data_that_change_while_they_are_read_end_the_run(
    score: ScoreReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_rows(tmp_path / "data.jsonl", question_rows())
    ask = job.ask

    def changing(*given: Any, **options: Any) -> Any:
        write_rows(tmp_path / "data.jsonl", question_rows(n=5))
        return ask(*given, **options)

    monkeypatch.setattr(job, "ask", changing)
    with pytest.raises(InputError, match=r"data\.jsonl changed while it was read; run the same command again"):
        score(data=data)
    monkeypatch.setattr(job, "ask", ask)
    assert score(data=data).samples == 5


def test_a_run_that_was_stopped_goes_on_and_ends_as_if_it_had_not_been(
    score: ScoreReader, loads: list[str], reader_b: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_runs, "CHUNK", 2)
    whole = score("whole")
    read, n_chunks = Reading.read, 0

    def interrupted(*given: Any) -> Any:
        nonlocal n_chunks
        n_chunks += 1
        if n_chunks == 5:
            raise KeyboardInterrupt
        return read(*given)

    with monkeypatch.context() as patched:
        patched.setattr(Reading, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            score()
    loads.clear()
    result = score()
    assert loads == [reader_b], "the first reader had read all six, the reference two"
    assert result.readers == whole.readers
    assert products(tmp_path / "out") == products(tmp_path / "whole")


def test_a_reader_that_is_added_is_the_only_one_that_reads(
    score: ScoreReader, loads: list[str], reader_a: str, tmp_path: Path
) -> None:
    readings = str(tmp_path / "readings")
    two = score("two", readings=readings)
    loads.clear()
    added = save_llama(tmp_path / "added", seed=9, context=512)
    three = score("three", reader=[reader_a, added], readings=readings)
    assert loads == [added]
    assert [reader.reader for reader in three.readers] == [reader_a, added, two.readers[1].reader]
    assert (three.readers[0], three.readers[2]) == two.readers
    assert len(three.differences) == 3


def test_a_damaged_reading_is_said_and_read_again(
    score: ScoreReader, loads: list[str], reader_a: str, reader_b: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    readings = tmp_path / "readings"
    first = score("first", readings=str(readings))
    file = sorted(readings.rglob("chunk-*.json"))[0]
    file.write_bytes(file.read_bytes()[:-30])
    loads.clear()
    again = elusive.score_reader(
        _recorded(tmp_path / "first", "data"),
        reader=reader_a,
        reference=reader_b,
        out=tmp_path / "again",
        readings=str(readings),
        max_new_tokens=4,
        k=2,
    )
    assert len(loads) == 1
    assert again.readers == first.readers
    assert "set aside as" in capfd.readouterr().err


def _recorded(folder: Path, option: str) -> Any:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["options"][option]


# -- readers that cannot be used -------------------------------------------------------------------------------------


def without_weights(folder: Path) -> str:
    save_llama(folder, seed=5)
    (folder / "model.safetensors").unlink()
    return str(folder)


def test_a_reader_that_cannot_be_seen_or_loaded_is_left_out_and_the_others_go_on(
    score_and_show: ScoreReader, reader_a: str, reader_b: str, tmp_path: Path
) -> None:
    absent, lacking = str(tmp_path / "absent"), without_weights(tmp_path / "lacking")
    result = score_and_show(reader=[absent, lacking, reader_a])
    assert result.left_out.keys() == {absent, lacking}
    assert result.left_out[absent] == f"{absent}: no such folder"
    assert "no weights" in result.left_out[lacking]
    assert [reader.reader for reader in result.readers] == [reader_a, reader_b]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "lacking" in page
    assert str(tmp_path) not in page


def test_a_reader_that_fails_while_it_reads_is_left_out(
    score: ScoreReader, reader_a: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = save_llama(tmp_path / "failing", seed=9, layers=3, context=512)
    read = Reading.read

    def out_of_memory(self: Reading, reader: Any, questions: Any) -> Any:
        if "failing" in reader.name:
            raise RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")
        return read(self, reader, questions)

    monkeypatch.setattr(Reading, "read", out_of_memory)
    result = score(reader=[failing, reader_a])
    assert result.left_out == {failing: f"{failing}: RuntimeError: CUDA out of memory. Tried to allocate 2 GiB"}
    assert result.readers[0].reader == reader_a


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"reference": "LACKING"}, r"^the reference cannot be used: .*lacking: the folder has no weights"),
        ({"reader": "LACKING"}, r"^[^:]*lacking: the folder has no weights"),
        (
            {"reader": ["LACKING", "ABSENT"]},
            r"^no reader can be used: .*lacking.*absent: no such folder$|absent.*lacking",
        ),
        ({"max_tokens": 12}, r"^the reference cannot be used: .* can read none of the questions: question, answer"),
        ({"data": "absent.jsonl"}, r"no file or folder"),
        ({"readings": "FILE"}, r"^--readings .*file is a file; expected a folder$"),
    ],
    ids=str,
)
def test_what_ends_a_run_is_one_line_and_leaves_nothing_half_made(
    score: ScoreReader, tmp_path: Path, options: dict[str, Any], because: str
) -> None:
    (tmp_path / "file").write_text("mine")
    stand_ins = {"LACKING": without_weights(tmp_path / "lacking"), "ABSENT": str(tmp_path / "absent")}
    stand_ins["FILE"] = str(tmp_path / "file")

    def put_in(value: Any) -> Any:
        return [put_in(one) for one in value] if isinstance(value, list) else stand_ins.get(value, value)

    with pytest.raises(ElusiveError, match=because) as caught:
        score(**{name: put_in(value) for name, value in options.items()})
    assert "\n" not in str(caught.value)
    left = tmp_path / "out"
    assert not left.exists() or {file.name for file in left.iterdir()} <= {"readings", ".elusive"}


def test_a_question_that_one_reader_cannot_read_counts_for_the_others(
    score_and_show: ScoreReader, reader_a: str, tmp_path: Path
) -> None:
    short = save_llama(tmp_path / "short", seed=9, context=100)
    rows = question_rows(n=5)
    rows[1]["question"] = "Who met her? " * 20
    data = write_rows(tmp_path / "data.jsonl", rows)
    result = score_and_show(data=data, reader=[reader_a, short], exact_match=False)
    by_name = {reader.reader: reader for reader in result.readers}
    assert (by_name[reader_a].samples, by_name[reader_a].unread) == (5, 0)
    assert (by_name[short].samples, by_name[short].unread) == (4, 1)
    assert {difference.difference.n for difference in result.differences} == {4}
    assert "5 examples" in by_name[reader_a].why
    assert "4 examples" in by_name[short].why
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "question, answer and titles alone are" in page


def test_readers_with_no_question_in_common_are_told_so_in_one_line(
    score: ScoreReader, reader_a: str, reader_b: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reading.read

    def one_half(self: Reading, reader: Any, questions: Any) -> Any:
        chunk = read(self, reader, questions)
        half = chunk.examples[::2] if reader_a in reader.name else chunk.examples[1::2]
        return dataclasses.replace(chunk, examples=half)

    monkeypatch.setattr(Reading, "read", one_half)
    expected = rf"^no question was read by all readers \({reader_a} 3, {reader_b} 3\), so none can be compared; leave"
    with pytest.raises(InputError, match=expected):
        score()


def test_without_a_reference_readers_are_ranked_and_none_is_judged(
    score: ScoreReader, reader_a: str, reader_b: str
) -> None:
    result = score(reader=[reader_a, reader_b], reference=None)
    assert [reader.verdict for reader in result.readers] == ["not enough evidence"] * 2
    assert all("there is no reference" in reader.why for reader in result.readers)
    assert sorted(result.ranking) == sorted([reader_a, reader_b])


def test_a_teacher_by_perplexity_is_refused_with_the_reason() -> None:
    with pytest.raises(ElusiveError, match=r"--teacher perplexity cannot be judged.*arXiv 2402\.11794.*hit rate"):
        elusive.score_reader(teacher="perplexity")


# -- other kinds of readers ------------------------------------------------------------------------------------------


def test_of_an_encoder_decoder_only_the_lift_of_the_answer_is_judged(
    score: ScoreReader, reader_a: str, reader_t5: str, tmp_path: Path
) -> None:
    result = score(reader=[reader_t5], reference=reader_a)
    [reader] = [one for one in result.readers if one.reader == reader_t5]
    assert reader.kind == "encoder-decoder"
    answer, question = reader.indicators["answer"]["p95"], reader.indicators["question"]["p90"]
    assert answer.lift > 0
    assert (answer.attention, answer.spearman, answer.ci["spearman"], answer.sd["attention"]) == (None,) * 4
    assert (question.attention, question.lift, question.spearman) == (None, None, None)
    assert reader.verdict in ("good", "poor", "not enough evidence")
    assert "ρ" not in reader.why
    assert reader.verdicts["question"].word == "n/a"
    assert np.array(reader.head_lifts).shape == (2, 4)
    orders = [row["order"] for row in examples_of(tmp_path / "out") if row["reader"] == reader_t5]
    assert orders == [[0, 1]] * 6, "it reads each passage apart"


# peft asks transformers for a name that transformers is about to drop.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_adapters_are_readers_of_their_own_against_the_bare_one(
    score_and_show: ScoreReader, loads: list[str], reader_a: str, tmp_path: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    adapter = tmp_path / "adapter"
    get_peft_model(LlamaForCausalLM.from_pretrained(reader_a), lora).save_pretrained(adapter)
    result = score_and_show(adapter=[str(adapter), str(tmp_path / "absent")], reference=None)
    adapted, bare = result.readers
    assert (adapted.reader, bare.reader, bare.is_reference) == (f"{reader_a} + {adapter}", reader_a, True)
    assert loads == [reader_a, reader_a]
    assert adapted.indicators != bare.indicators, "the adapter must matter"
    assert result.left_out.keys() == {f"{reader_a} + {tmp_path / 'absent'}"}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "a + adapter" in page
    assert str(tmp_path) not in page
    assert reader_a not in page


def test_own_answers_can_be_the_rows_that_count(score: ScoreReader, tmp_path: Path) -> None:
    result = score(rows="generated")
    rows = examples_of(tmp_path / "out")
    assert rows
    assert all(row["answer"] and row["exact_match"] in (0, 1) for row in rows)
    assert result.readers[0].em is not None


def test_head_lifts_are_means_over_all_examples(
    score: ScoreReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_runs, "CHUNK", 2)
    rows = question_rows(n=9)[::4]
    options = {"shuffle": False, "exact_match": False}
    once = score("once", data=write_rows(tmp_path / "once.jsonl", rows[:1]), **options)
    thrice = score("thrice", data=write_rows(tmp_path / "thrice.jsonl", rows), **options)
    assert len({row["question"] for row in rows}) == 1
    for a, b in zip(once.readers, thrice.readers, strict=True):
        assert np.array(a.head_lifts) == pytest.approx(np.array(b.head_lifts), rel=1e-4)


def test_further_percentiles_stand_beside_the_two_that_are_always_taken(score: ScoreReader) -> None:
    result = score(percentile=[99.5, 80, 95])
    assert list(result.readers[0].indicators["question"]) == ["p80", "p90", "p95", "p99.5"]


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_the_page_names_no_path_and_tells_readers_of_one_last_name_apart(
    score_and_show: ScoreReader, asked: str, tmp_path: Path
) -> None:
    first = save_llama(tmp_path / "first" / "tuned", seed=3, context=512)
    second = save_llama(tmp_path / "second" / "tuned", seed=4, context=512)
    template = tmp_path / "template.yaml"
    template.write_text("target: ' {answer}'")
    score_and_show(reader=[first, second], reference=None, template=str(template), readings=str(tmp_path / "kept"))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert str(tmp_path) not in page
    assert str(Path(asked).parent) not in page
    for name in ("first/tuned", "second/tuned", "template.yaml", "questions.jsonl"):
        assert name in page


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    options = {"samples": 8, "exact_match": False}
    arguments = ["--samples", "8", "--no-exact-match", "--quiet", "-o", str(tmp_path / "there")]
    command = [sys.executable, "-c", "from elusive_cli.app import main; main()", "score-reader", *arguments]
    with subprocess.Popen(command, env=os.environ | {"PYTHONHASHSEED": "1"}) as there:
        elusive.score_reader(out=tmp_path / "here", progress=QUIET, **options)
    assert there.returncode == 0
    one, other = products(tmp_path / "here"), products(tmp_path / "there")
    assert [name for name in PRODUCTS if one[name] != other[name]] == []


# -- the plan --------------------------------------------------------------------------------------------------------


def test_the_plan_counts_what_the_run_does_and_writes_nothing(
    score: ScoreReader, reader_a: str, reader_b: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = [*question_rows(n=9), {"id": "blank", "question": " ", "answers": ["x"]}]
    data = write_rows(tmp_path / "data.jsonl", rows)
    options = {"reader": [reader_a, "./absent"], "reference": reader_b, "samples": 7, "k": 2, "max_new_tokens": 4}
    config = ScoreReaderConfig(data=data, out=str(tmp_path / "out"), **options)
    plan = plan_score_reader(config, progress=QUIET)
    assert [file.name for file in tmp_path.iterdir()] == ["data.jsonl"]
    result = score(data=data, **options)
    assert (plan.questions, plan.samples, plan.rejected) == (result.questions, result.samples, result.rejected)
    assert plan.hits == result.readers[0].hits
    assert plan.passages == 14
    assert [reader.name for reader in plan.readers] == [reader.reader for reader in result.readers]
    assert [reader.to_read for reader in plan.readers] == [7, 7]
    assert plan.left_out == result.left_out
    for planned, reader in zip(plan.readers, result.readers, strict=True):
        assert planned.tokens == pytest.approx(reader.tokens, rel=0.2)
        assert (planned.kind, planned.seconds > 0) == (reader.kind, True)


def test_a_plan_loads_no_reader_whose_readings_are_there(
    score: ScoreReader, loads: list[str], reader_a: str, reader_b: str, asked: str, tmp_path: Path
) -> None:
    readings = str(tmp_path / "readings")
    score(readings=readings)
    loads.clear()
    added = save_llama(tmp_path / "added", seed=9, context=512)
    options = {"reader": (reader_a, added), "reference": reader_b, "k": 2, "max_new_tokens": 4}
    config = ScoreReaderConfig(data=asked, out=str(tmp_path / "plan"), readings=readings, **options)
    plan = plan_score_reader(config, progress=QUIET)
    assert loads == [added]
    assert [reader.to_read for reader in plan.readers] == [0, 6, 0]
    assert plan.readers[0].tokens == plan.readers[0].seconds == 0


def test_a_plan_of_a_folder_with_another_run_is_refused(score: ScoreReader, asked: str, tmp_path: Path) -> None:
    score()
    config = ScoreReaderConfig(data=asked, out=str(tmp_path / "out"), samples=3)
    with pytest.raises(FolderError, match=r"holds a run with other options"):
        plan_score_reader(config, progress=QUIET)
    assert plan_score_reader(config, overwrite=True, progress=QUIET).samples == 3
