"""`distill` from end to end on sixty passages: what a run leaves, what it goes on with, and what it refuses."""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator

import elusive
from elusive.config import DistillConfig, build
from elusive.distillation.loop import RetrieverLoop
from elusive.distillation.reader_tuning import ReaderTuning
from elusive.distillation.result import DistillResult
from elusive.errors import ElusiveError, FolderError
from elusive.jobs import distill as job
from elusive.jobs import distill_gate, distill_products
from elusive.jobs.distill_data import read_all
from elusive.jobs.distill_measuring import Measuring
from elusive.jobs.distill_plan import plan_distill
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.readers.opening import load_reader
from elusive.retrieval.encoder import Encoder, load_encoder
from elusive.retrieval.index import PassageIndex
from tests.distill_fixtures import UNTUNED, Towns, passage_rows, question_rows, write_lines, write_towns
from tests.files import contents
from tests.score_reader_fixtures import save_t5

pytestmark = pytest.mark.usefixtures("quick")

peft_warns = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

QUIET = Bars(quiet=True)
Distill = Callable[..., DistillResult]
ANY_READER = {"ignore_gate": True, "gate_samples": 2, "reference": None}
"""A run that is not held up by judging its reader."""


@pytest.fixture
def quick(collector_off: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes longest and is tested elsewhere: the page, and as many draws for an interval."""
    monkeypatch.setattr(distill_gate, "free_memory", lambda: None)
    monkeypatch.setattr(distill_products, "distill_page", lambda *_, **__: "a page")
    monkeypatch.setattr("elusive.statistics._RESAMPLES", 100)


@pytest.fixture(scope="session")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Towns:
    return write_towns(tmp_path_factory.mktemp("towns"))


@pytest.fixture
def distill(towns: Towns, tmp_path: Path) -> Distill:
    """The job on the six towns, quietly, into a folder of the test."""

    def run(out: str = "out", *, overwrite: bool = False, **options: Any) -> DistillResult:
        given = towns.options | options
        return job.distill(given.pop("passages"), out=tmp_path / out, overwrite=overwrite, progress=QUIET, **given)

    return run


@dataclasses.dataclass(frozen=True)
class Done:
    """A run that has been."""

    out: Path
    result: DistillResult


@pytest.fixture
def done(towns: Towns, quick: None, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return _done(towns, tmp_path_factory.getbasetemp() / "distilled")


@functools.cache
def _done(towns: Towns, out: Path) -> Done:
    given = towns.options | {"steps": 6, "refresh": "3", "limit": 60, "export": True}
    return Done(out, job.distill(given.pop("passages"), out=out, progress=QUIET, **given))


def products(folder: Path) -> dict[str, bytes]:
    """What a run has written."""
    return {name: found for name, found in contents(folder.parent, folder.name).items() if ".elusive" not in name}


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


# -- what a run leaves -----------------------------------------------------------------------------------------------


def test_the_result_is_json_of_the_agreed_shape(done: Done) -> None:
    told = json.loads(json.dumps(dataclasses.asdict(done.result), allow_nan=False))
    assert told.keys() >= {"hr", "test", "answers", "steps", "stopped_by", "gate", "seconds", "out", "warnings"}
    for rates in (told["hr"], told["test"]):
        assert list(rates) == ["1", "5", "20"]
        for rate in rates.values():
            assert rate.keys() == {"start", "best", "end", "gain", "ci"}
            assert rate["gain"] == pytest.approx(rate["best"] - rate["start"])
            assert rate["ci"][0] <= rate["gain"] <= rate["ci"][1]
    assert told["answers"].keys() == {"em", "f1"}
    assert told["gate"].keys() == {"word", "reason", "passed"}
    assert (told["gate"]["word"], told["gate"]["passed"]) == ("good", True)
    assert (told["steps"], told["stopped_by"], told["out"]) == (6, "steps", str(done.out))
    assert (told["passages"], told["train"], told["dev"], told["rejected"]) == (60, 20, 20, 0)


def test_the_retriever_is_one_for_us_and_for_sentence_transformers(done: Done) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder(ModelSource(name=str(done.out / "retriever"), device="cpu"))
    texts = [row["question"] for row in question_rows()[:5]]
    theirs = SentenceTransformer(str(done.out / "retriever"), device="cpu").encode(texts)
    np.testing.assert_allclose(encoder.encode(texts, side="query"), theirs, rtol=1e-4, atol=1e-5)
    initial = load_encoder(ModelSource(name="tiny:encoder", device="cpu"))
    assert not np.allclose(initial.encode(texts, side="query"), theirs, atol=1e-3)


def test_the_index_is_that_of_the_retriever_and_finds_what_is_told(done: Done) -> None:
    encoder = load_encoder(ModelSource(name=str(done.out / "retriever"), device="cpu"))
    index = PassageIndex.open(done.out / "index", encoder=encoder)
    assert {index.passage(place).id for place in range(len(index))} == {row["id"] for row in passage_rows()}
    asked = question_rows()[1::3]
    places, _ = index.search(encoder.encode([row["question"] for row in asked], side="query"), 5)
    hits = [
        any(elusive.metrics.has_answer(passage.text, row["answers"]) for passage in index.passages(found))
        for row, found in zip(asked, places.tolist(), strict=True)
    ]
    assert np.mean(hits) == done.result.hr["5"].best


def test_a_tracker_hears_of_every_look(distill: Distill, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, float]] = []

    class Tracker:
        def finish(self) -> None:
            heard.append((-1, 0.0))

    class Listening(Accelerator):
        def init_trackers(self, name: str, **_: Any) -> None:
            self.trackers = [Tracker()]

        def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
            heard.append((step, values["hr@5"]))

    monkeypatch.setattr(job, "open_processes", lambda **_: Listening(cpu=True))
    result = distill(**ANY_READER, steps=2, refresh="1", report_to="tensorboard")
    assert [step for step, _ in heard] == [0, 1, 2, -1]
    assert heard[0][1] == result.hr["5"].start


def test_figures_are_written_step_by_step(done: Done) -> None:
    lines = [json.loads(line) for line in (done.out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [0, 3, 6]
    assert lines[0]["hr@5"] == done.result.hr["5"].start
    assert lines[-1]["hr@5"] == done.result.hr["5"].end
    assert max(line["hr@5"] for line in lines) == done.result.hr["5"].best
    assert all(np.isfinite(line["loss"]) for line in lines[1:])


def test_the_record_vouches_for_the_models_and_nothing_of_the_training_is_left(done: Done) -> None:
    run = json.loads((done.out / "run.json").read_text(encoding="utf-8"))
    assert run["finished"]
    assert {"metrics.jsonl", "retriever/model.safetensors", "retriever/1_Pooling/config.json"} <= run["files"].keys()
    names = {"run.json", "metrics.jsonl", "report.html", "rejected.jsonl", "rejected-passages.jsonl"}
    folders = {"retriever", "index", "exports", ".elusive"}
    assert {file.name for file in done.out.iterdir()} == names | folders
    assert {file.name for file in (done.out / ".elusive").iterdir()} <= {"lock"}


def test_what_the_reader_teaches_is_exported(done: Done) -> None:
    folder = done.out / "exports"
    rows = {file.name: file.read_text(encoding="utf-8").splitlines() for file in folder.iterdir()}
    assert rows.keys() == {"triplets.jsonl", "distillation.jsonl", "flag-embedding.jsonl", "train.trec"}
    assert len(rows["distillation.jsonl"]) == 20
    assert len(rows["train.trec"]) == 20 * 5
    for line in rows["distillation.jsonl"]:
        row = json.loads(line)
        assert row.keys() == {"query", "positive", *(f"negative_{n}" for n in range(1, 5)), "label"}
        assert np.exp(row["label"]).sum() == pytest.approx(1, abs=1e-4)
        assert row["label"][0] == max(row["label"])
    for line in rows["triplets.jsonl"]:
        assert json.loads(line).keys() == {"query", "positive", "negative"}
    for line in rows["flag-embedding.jsonl"]:
        row = json.loads(line)
        assert len(row["pos"]) + len(row["neg"]) == len(row["pos_scores"]) + len(row["neg_scores"]) == 5


# -- again, otherwise ------------------------------------------------------------------------------------------------


def test_the_same_options_find_the_run_done_and_others_are_refused(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = distill(**ANY_READER, steps=1)
    before = products(tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(RetrieverLoop, "_step", lambda *_: pytest.fail("trained again"))
        again = distill(**ANY_READER, steps=1)
        with pytest.raises(FolderError, match=r"k: 5 there, 4 now\); name another --out"):
            distill(**ANY_READER, steps=1, k=4)
    assert dataclasses.replace(again, already_done=False) == first
    assert again.already_done
    assert products(tmp_path / "out") == before
    anew = distill(**ANY_READER, steps=2, overwrite=True)
    assert (anew.already_done, anew.steps) == (False, 2)
    fresh = distill("fresh", **ANY_READER, steps=2)
    assert weights(tmp_path / "out" / "retriever") == weights(tmp_path / "fresh" / "retriever")
    assert anew.hr == fresh.hr


def test_overwriting_an_unfinished_run_takes_nothing_of_its_training(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(job, "hit_rates", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            distill(**ANY_READER, lr=1e-3)
    distill(**ANY_READER, lr=1e-5, overwrite=True)
    distill("fresh", **ANY_READER, lr=1e-5)
    assert weights(tmp_path / "out" / "retriever") == weights(tmp_path / "fresh" / "retriever")


STEP = RetrieverLoop._step


def _interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


# -- the gate --------------------------------------------------------------------------------------------------------


def test_a_reader_that_is_no_better_than_its_reference_is_stopped_by_the_gate(
    distill: Distill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(RetrieverLoop, "run", lambda *_: pytest.fail("the retriever learns"))
        result = distill(reader=UNTUNED)
    assert (result.stopped_by, result.steps, result.gate.passed) == ("gate", 0, False)
    assert result.gate.word != "good"
    assert result.answers is None
    assert dict(result.test) == {}
    assert {rate.gain for rate in result.hr.values()} == {0.0}
    assert not (tmp_path / "out" / "retriever").exists()
    assert distill(reader=UNTUNED).already_done


def test_the_reader_that_was_tuned_is_kept_where_the_gate_stops(distill: Distill, tmp_path: Path) -> None:
    result = distill(reader=UNTUNED, reference=None, reader_steps=1, reader_lr=1e-9)
    assert result.stopped_by == "gate"
    load_reader(ModelSource(name=str(tmp_path / "out" / "reader"), device="cpu"))


@pytest.mark.parametrize("tuned", [{}, {"reference": None, "reader_steps": 1, "reader_lr": 1e-9}], ids=["", "tuned"])
def test_a_run_that_the_gate_stopped_goes_on_when_it_is_ignored(
    distill: Distill, towns: Towns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: dict[str, Any]
) -> None:
    options = {"reader": UNTUNED, "steps": 2} | tuned
    stopped = distill(**options)
    assert stopped.stopped_by == "gate"
    plan_distill(
        build(DistillConfig, towns.options | options | {"ignore_gate": True, "out": stopped.out}), progress=QUIET
    )
    with monkeypatch.context() as patched:
        patched.setattr(PassageIndex, "build", lambda *_, **__: pytest.fail("indexed again"))
        patched.setattr(ReaderTuning, "run", lambda *_: pytest.fail("tuned again"))
        patched.setattr(Measuring, "before", lambda *_: pytest.fail("measured again"))
        patched.setattr(RetrieverLoop, "_step", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            distill(**options, ignore_gate=True)
        patched.setattr(RetrieverLoop, "_step", STEP)
        result = distill(**options, ignore_gate=True)
    assert (result.stopped_by, result.steps, result.gate) == ("steps", 2, stopped.gate)
    fresh = distill("fresh", **options, ignore_gate=True)
    assert (result.hr, result.test, result.answers) == (fresh.hr, fresh.test, fresh.answers)
    assert weights(tmp_path / "out" / "retriever") == weights(tmp_path / "fresh" / "retriever")
    if tuned:
        assert weights(tmp_path / "out" / "reader") == weights(tmp_path / "fresh" / "reader")
    assert distill(**options, ignore_gate=True).already_done


def test_nothing_else_may_change_when_the_gate_is_ignored(distill: Distill) -> None:
    distill(reader=UNTUNED)
    with pytest.raises(FolderError, match=r"other options \(k: 5 there, 4 now; ignore_gate: False there, True now\)"):
        distill(reader=UNTUNED, ignore_gate=True, k=4)


def test_a_run_that_was_trained_is_not_gone_on_with(distill: Distill) -> None:
    distill(steps=1)
    with pytest.raises(FolderError, match=r"other options \(ignore_gate: False there, True now\)"):
        distill(steps=1, ignore_gate=True)


# -- modes, teachers, readers ----------------------------------------------------------------------------------------


@peft_warns
@pytest.mark.parametrize("lora", [0, 4], ids=["whole", "lora"])
def test_step_one_tunes_the_reader_and_leaves_the_retriever(distill: Distill, tmp_path: Path, lora: int) -> None:
    result = distill(**ANY_READER, reader=UNTUNED, reader_steps=6, reader_lr=1e-2, lora=lora, steps=1)
    assert result.steps == 1
    initial = ModelSource(name=UNTUNED, device="cpu")
    before = load_reader(initial).model.state_dict()
    folder = tmp_path / "out" / "reader"
    if lora:
        names = {file.name for file in folder.iterdir()}
        assert "adapter_model.safetensors" in names
        assert "model.safetensors" not in names
        after = load_reader(initial, adapter=str(folder)).model
        tuned = {name: weight for name, weight in after.state_dict().items() if "lora_B" in name}
        assert tuned
        assert all(weight.abs().sum() > 0 for weight in tuned.values())
    else:
        after = load_reader(ModelSource(name=str(folder), device="cpu")).model.state_dict()
        assert not all(torch.equal(before[name], after[name]) for name in before)
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert any(name.startswith("reader/") for name in run["files"])


@peft_warns
def test_an_adapter_may_be_tuned_further(distill: Distill, tmp_path: Path) -> None:
    tune = {**ANY_READER, "reader": UNTUNED, "reader_steps": 1, "steps": 1, "batch_size": 2}
    distill("first", **tune, lora=4)
    adapter = tmp_path / "first" / "reader"
    distill("second", **tune, adapter=str(adapter), reader_lr=1e-2)
    name = "adapter_model.safetensors"
    assert (tmp_path / "second" / "reader" / name).read_bytes() != (adapter / name).read_bytes()


def test_off_the_shelf_trains_both(distill: Distill, tmp_path: Path) -> None:
    result = distill(**ANY_READER, mode="off-the-shelf", reader=UNTUNED, reader_lr=1e-3)
    assert result.gate.word is None
    assert result.answers is not None
    name = str(tmp_path / "out" / "reader")
    before, after = (load_reader(ModelSource(name=n, device="cpu")).model.state_dict() for n in (UNTUNED, name))
    unchanged = all(torch.equal(before[name], after[name]) for name in before)
    assert unchanged == (result.best_step == 0), "what is kept of both is of the same step"
    assert (tmp_path / "out" / "retriever" / "model.safetensors").exists()


@pytest.mark.parametrize("teacher", ["perplexity", "emdr2", "loop"])
def test_likelihoods_teach_without_a_gate(distill: Distill, teacher: str) -> None:
    result = distill(teacher=teacher, steps=1, batch_size=2, k=3, trust=0.0)
    assert (result.gate.word, result.stopped_by, result.steps) == (None, "steps", 1)


def test_given_scores_teach_without_a_reader(distill: Distill, towns: Towns, tmp_path: Path) -> None:
    rows = [
        {**row, "passages": [{**p, "score": float(i % 3)} for i, p in enumerate(row["passages"][: 3 + n % 2])]}
        for n, row in enumerate(question_rows()[::3])
    ]
    given = {"teacher": "given", "reader": None, "reference": None, "batch_size": 5}
    result = distill(train=write_lines(tmp_path / "train.jsonl", rows), **given)
    assert (result.answers, result.gate.word, result.steps) == (None, None, 4)
    assert not (tmp_path / "out" / "reader").exists()


def test_a_fusion_in_decoder_reader_teaches(distill: Distill, tmp_path: Path) -> None:
    reader = save_t5(tmp_path / "t5", seed=1)
    result = distill(**ANY_READER, reader=reader, steps=1, batch_size=2, k=3)
    assert (result.steps, result.stopped_by) == (1, "steps")


def test_the_query_side_alone_leaves_passages_and_index(distill: Distill, tmp_path: Path) -> None:
    distill(**ANY_READER, query_side_only=True)
    initial = load_encoder(ModelSource(name="tiny:encoder", device="cpu"))
    folder = tmp_path / "out" / "retriever"
    trained = load_encoder(ModelSource(name=str(folder), device="cpu"))
    assert not trained.is_tied
    assert trained.fingerprint("passage") == initial.fingerprint("passage")
    PassageIndex.open(tmp_path / "out" / "index", encoder=initial)


# -- plans, and what is refused --------------------------------------------------------------------------------------


def test_a_plan_counts_and_writes_nothing(towns: Towns, tmp_path: Path) -> None:
    config = build(DistillConfig, {**towns.options, "out": str(tmp_path / "out"), "reader_steps": 3})
    plan = plan_distill(config, progress=QUIET)
    assert (plan.passages, plan.train, plan.dev, plan.test, plan.rejected) == (60, 20, 20, 20, 0)
    assert (plan.reader_steps, plan.steps, plan.refreshes) == (3, 4, 2)
    assert plan.index_bytes == 60 * 128 * 2
    assert plan.reader_tokens > 0 < plan.encoder_tokens
    assert plan.seconds > 0
    assert list(tmp_path.iterdir()) == []
    json.dumps(dataclasses.asdict(plan), allow_nan=False)


NO_ANSWERS = [{**row, "answers": [], "target": None} for row in question_rows()[:3]]
BAD = {
    "k above the passages": ({"k": 61}, r"^k is 61 and there are 60 passages; lower --k$"),
    "no answers": ({"dev": NO_ANSWERS}, r"^no usable questions in \S+dev\.jsonl: all 3 rows are rejected"),
    "no passages": ({"passages": []}, r"passages\.jsonl"),
    "dev is train": ({"dev": "TRAIN"}, r"--train, --dev and --test must be different"),
    "test is train": ({"test": "TRAIN"}, r"--train, --dev and --test must be different"),
    "no train": ({"train": None}, r"--passages needs --train beside it"),
    "no reader": ({"reader": None}, r"--passages needs --reader beside it"),
    "nothing but passages": ({"train": None, "dev": None, "retriever": None, "reader": None}, r"--train, --dev, --ret"),
    "an odd batch": (
        {"batch_size": 5, "accumulation": 2},
        r"^batch_size 5 cannot be shared out among 1 processes in 2",
    ),
    "refresh": ({"refresh": "often"}, r"^refresh 'often': 'often' is no span"),
    "unscored": ({"teacher": "given"}, r"^no question of --train \S+ has answers and scored passages"),
    "without passages": ({"teacher": "given", "train": "BARE"}, r"^no question of --train \S+ has answers and scored"),
    "given beside": ({"teacher": "given", "mode": "off-the-shelf"}, r"--teacher given has no reader to train beside"),
    "export of emdr2": ({"teacher": "emdr2", "export": True}, r"--export writes what a reader teaches"),
    "steps of both": ({"mode": "off-the-shelf", "reader_steps": 2}, r"--reader-steps tunes the reader first"),
    "two adapters": ({"lora": 2, "adapter": "x", "reader_steps": 1}, r"--lora makes an adapter"),
    "no retriever there": ({"retriever": "./absent"}, r"^\./absent: no such folder"),
    "no reader there": ({"reader": "./absent"}, r"^\./absent: no such folder"),
    "nothing to export": ({"export": True, "train": "SPACED"}, r"cannot stand in a TREC run"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_makes_no_sense_is_refused_in_one_line(
    distill: Distill, towns: Towns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options, because = BAD[case]
    unscored = [
        {**row, "passages": [{k: v for k, v in p.items() if k != "score"} for p in row["passages"]]}
        for row in question_rows()[:6]
    ]
    stand_ins = {
        "TRAIN": towns.train,
        "BARE": write_lines(tmp_path / "bare.jsonl", [{**row, "passages": []} for row in question_rows()[:6]]),
        "SPACED": write_lines(
            tmp_path / "spaced.jsonl", [{**row, "id": f"a {row['id']}"} for row in question_rows()[:6]]
        ),
    }
    if case == "unscored":
        stand_ins["UNSCORED"] = write_lines(tmp_path / "unscored.jsonl", unscored)
        options = {**options, "train": "UNSCORED"}
    given = {
        name: write_lines(tmp_path / f"{name}.jsonl", value) if isinstance(value, list) else stand_ins.get(value, value)
        for name, value in options.items()
    }
    if case == "nothing to export":
        given |= ANY_READER | {"steps": 1, "batch_size": 1}
    with pytest.raises(ElusiveError, match=because) as caught:
        distill(**given)
    assert "\n" not in str(caught.value)
    left = tmp_path / "out"
    # Ids that a TREC run cannot hold are met when the retriever is there already, and it stays.
    assert (left / "retriever").exists() == (case == "nothing to export")


def test_a_tuning_that_diverges_is_an_error_with_words(distill: Distill, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ReaderTuning._step

    def broken(self: ReaderTuning, step: int) -> None:
        for weight in self.reader.model.parameters():
            weight.data *= float("nan")
        real(self, step)

    monkeypatch.setattr(ReaderTuning, "_step", broken)
    with pytest.raises(ElusiveError, match="the reader's loss is nan at step 1; lower --reader-lr"):
        distill(reader_steps=1)


def test_questions_that_two_sets_share_are_told(distill: Distill, towns: Towns, tmp_path: Path) -> None:
    dev = write_lines(tmp_path / "dev.jsonl", question_rows()[:5])
    result = distill(**ANY_READER, steps=1, dev=dev)
    assert any("2 of the 5 dev questions are asked in train too" in warning for warning in result.warnings)


# -- an index that is there already ----------------------------------------------------------------------------------


def test_passages_that_are_an_index_of_the_retriever_are_not_embedded_again(
    distill: Distill, towns: Towns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elusive.build_index(towns.passages, encoder="tiny:encoder", out=tmp_path / "index", progress=QUIET, device="cpu")
    before = contents(tmp_path, "index")
    texts: list[int] = []
    real = Encoder.batches

    def counting(self: Encoder, *args: Any, **options: Any) -> Any:
        for batch in real(self, *args, **options):
            if options["side"] == "passage":
                texts.append(len(batch[0]))
            yield batch

    once = {"query_side_only": True, "steps": 1, "refresh": "never", "trust": 0.0} | ANY_READER
    with monkeypatch.context() as patched:
        patched.setattr(Encoder, "batches", counting)
        from_index = distill("from-index", passages=str(tmp_path / "index"), **once)
        assert texts == []
        from_file = distill("from-file", **once)
        assert sum(texts) == 60
    assert (from_index.passages, from_index.hr) == (60, from_file.hr)
    assert weights(tmp_path / "from-index/retriever/query") == weights(tmp_path / "from-file/retriever/query")
    assert contents(tmp_path, "index") == before
    config = build(DistillConfig, {**towns.options, "out": str(tmp_path / "plan")})
    planned = [
        plan_distill(config.model_copy(update={"passages": name}), progress=QUIET).encoder_tokens
        for name in (str(tmp_path / "index"), towns.passages)
    ]
    assert planned[0] < planned[1]


def test_sets_in_scripts_without_spaces_are_told(tmp_path: Path) -> None:
    rows = [{"question": f"質問{n}は", "answers": [answer]} for n, answer in enumerate(("東京", "Orsk", "กรุงเทพ"))]
    train = write_lines(tmp_path / "train.jsonl", [{"question": "where", "answers": ["大阪"]}])
    dev = write_lines(tmp_path / "dev.jsonl", rows[:2])
    test = write_lines(tmp_path / "test.jsonl", rows[2:])
    given = {"train": train, "dev": dev, "test": test, "passages": train, "reader": "r", "retriever": "e", **ANY_READER}
    warnings = read_all(build(DistillConfig, given), on_rejected=print).warnings
    assert any(one.startswith("2 of the 3 questions have answers in a script without spaces") for one in warnings)
