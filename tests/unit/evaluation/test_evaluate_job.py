"""`elusive evaluate` as a job: what it writes, resumes, reuses and refuses."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive import statistics
from elusive.config import EvaluateConfig
from elusive.data.question_files import read_questions
from elusive.data.questions import Passage, Question
from elusive.data.sealed import write_sealed
from elusive.distillation.evaluation import retrieval
from elusive.distillation.retriever import Retriever
from elusive.errors import FolderError, InputError, ModelError, OptionError
from elusive.evaluation.closed_book import ClosedBook
from elusive.evaluation.open_book import is_cut
from elusive.jobs import evaluate_forgetting
from elusive.jobs.evaluate import EvaluateResult, evaluate
from elusive.jobs.evaluate_model import EvaluatedModel, evaluated_model
from elusive.jobs.index import build_index
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.readers import decoder_only, fusion_in_decoder
from elusive.readers.opening import load_reader, save_reader, with_lora
from elusive.readers.reader import ReaderOptions
from elusive.retrieval.encoder import load_encoder
from elusive.retrieval.index import PassageIndex
from tests.distill_fixtures import N_PASSAGES, passage_rows, question_rows, write_lines
from tests.score_reader_fixtures import reader_a, reader_b, reader_t5
from tests.unit.evaluation.exams import PEOPLE, TAGGED

__all__ = ["reader_a", "reader_b", "reader_t5"]

Evaluate = Callable[..., EvaluateResult]
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_RESAMPLES", 50)


@pytest.fixture
def people(tmp_path: Path) -> str:
    return write_lines(tmp_path / "people.jsonl", PEOPLE)


@pytest.fixture
def judge(people: str, reader_a: str, tmp_path: Path) -> Evaluate:
    """The job on four people and a random model, quietly, into a folder of the test."""

    def run(out: str = "out", **options: Any) -> EvaluateResult:
        given = {"model": reader_a, "questions": people, "shots": 2, "max_new_tokens": 4, "batch_size": 2} | options
        return evaluate(given.pop("model"), out=tmp_path / out, progress=Bars(quiet=True), **given)

    return run


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]


# -- what it writes --------------------------------------------------------------------------------------------------


def test_each_question_has_a_row_and_figures_are_of_the_rows(judge: Evaluate, tmp_path: Path) -> None:
    result = judge()
    rows = rows_of(tmp_path / "out")
    assert list(rows[0]) == ["id", "group", "field", "question", "answers", "prediction", "em", "f1"]
    assert [row["id"] for row in rows[:3]] == [f"Mara Velting/{f}" for f in ("birth_city", "major", "company")]
    assert (result.questions, result.groups, result.shots) == (12, 4, 2)
    assert list(result.fields) == ["birth_city", "major", "company"]
    assert result.f1 is not None
    assert result.f1.mean == pytest.approx(sum(row["f1"] for row in rows) / 12)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["result"]["fields"]["major"]["exact_match"]["n"] == 4
    assert record["files"].keys() == {"answers.jsonl", "rejected.jsonl"}


def test_answers_do_not_depend_on_what_shares_their_batch_or_file(judge: Evaluate, tmp_path: Path) -> None:
    judge("small"), judge("large", batch_size=12), judge("some", field="major", limit=2)
    small, large, some = (rows_of(tmp_path / name) for name in ("small", "large", "some"))
    assert small == large
    assert some == [row for row in small if row["field"] == "major"][:2]


def test_models_and_seeds_see_the_same_and_other_shots(judge: Evaluate, reader_b: str, tmp_path: Path) -> None:
    prompts: dict[str, list[str]] = {}
    for name, options in {"a": {}, "b": {"model": reader_b}, "seed": {"seed": 1}}.items():
        seen = prompts.setdefault(name, [])
        with pytest.MonkeyPatch.context() as patch:
            tokens = ClosedBook.tokens
            patch.setattr(
                ClosedBook, "tokens", lambda self, q, s, s_=seen, t=tokens: (s_.append(str(s)), t(self, q, s))[1]
            )
            judge(name, **options)
    assert prompts["a"] == prompts["b"] != prompts["seed"]


def test_shots_may_come_from_elsewhere(judge: Evaluate, tmp_path: Path) -> None:
    examples = write_lines(tmp_path / "examples.jsonl", [{"question": f"Who {i}?", "answers": ["x"]} for i in range(2)])
    judge(examples=examples)
    with pytest.raises(InputError, match=r"examples\.jsonl has 2 examples for question"):
        judge("other", examples=examples, shots=3)


def test_tagged_texts_and_templates_of_ones_own_are_asked(judge: Evaluate, tmp_path: Path) -> None:
    texts = write_lines(tmp_path / "texts.jsonl", [{"text": text} for text in (*TAGGED, "Nobody.")])
    templates = tmp_path / "templates.yaml"
    templates.write_text("city: Whence came {name}?\ndate:\nuniversity: null\n", encoding="utf-8")
    result = judge(questions=texts, templates=str(templates), shots=0)
    assert [row["question"] for row in rows_of(tmp_path / "out")] == [
        "Whence came Mara Velting?",
        "Whence came Tor Aldane?",
    ]
    assert (result.rejected, result.groups) == (1, 2)
    [line] = (tmp_path / "out" / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert "nobody is named" in line


def test_an_encoder_decoder_answers_closed_book_and_has_no_perplexity(judge: Evaluate, reader_t5: str) -> None:
    assert judge(model=reader_t5).exact_match is not None
    with pytest.raises(ModelError, match="gives a text no likelihood; leave --forgetting out"):
        judge("other", model=reader_t5, forgetting="sample:biographies")


# -- going on --------------------------------------------------------------------------------------------------------


class Stop(Exception):
    """Stands for a kill: nothing of ours handles it."""


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_killed_run_goes_on_with_the_same_bytes_and_answers_no_kept_chunk_again(
    judge: Evaluate, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elusive.jobs.evaluate_answers._BATCHES", 1)
    judge("whole")
    answers, n_calls = ClosedBook.answers, 0

    def counted(self: ClosedBook, prompts: Any, stop: int | None = after) -> list[str]:
        nonlocal n_calls
        n_calls += 1
        if stop is not None and n_calls > stop:
            raise Stop
        return answers(self, prompts)

    monkeypatch.setattr(ClosedBook, "answers", counted)
    with pytest.raises(Stop):
        judge("killed")
    assert n_calls == after + 1
    n_calls = 0
    monkeypatch.setattr(ClosedBook, "answers", lambda self, prompts: counted(self, prompts, None))
    judge("killed")
    assert n_calls == 6 - after
    assert (tmp_path / "killed/answers.jsonl").read_bytes() == (tmp_path / "whole/answers.jsonl").read_bytes()
    assert list((tmp_path / "killed/.elusive").glob("parts")) == []


def test_a_damaged_chunk_is_answered_again(judge: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elusive.jobs.evaluate.write_text", lambda *_: (_ for _ in ()).throw(Stop()))
        with pytest.raises(Stop):
            judge("killed")
    [*_, chunk] = sorted((tmp_path / "killed/.elusive/parts").glob("answers-*.json"))
    chunk.write_text(chunk.read_text(encoding="utf-8").replace('"chunk": [', '"chunk": [ "no",'), encoding="utf-8")
    judge("killed")
    assert (tmp_path / "killed/answers.jsonl").read_bytes() == (tmp_path / "whole/answers.jsonl").read_bytes()


def test_a_finished_run_is_found_and_another_one_refused(judge: Evaluate, people: str, tmp_path: Path) -> None:
    first = judge()
    again = judge()
    assert again.already_done
    assert (again.exact_match, again.fields) == (first.exact_match, first.fields)
    with pytest.raises(FolderError, match=r"other options \(shots: 2 there, 1 now\)"):
        judge(shots=1)
    write_lines(Path(people), [*PEOPLE, {"name": "New", "facts": {"major": "law"}}])
    with pytest.raises(FolderError, match=r"files: questions changed"):
        judge()
    assert judge(overwrite=True).questions == 13


# -- the model -------------------------------------------------------------------------------------------------------


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


# -- other texts -----------------------------------------------------------------------------------------------------


def test_perplexity_of_other_texts_by_name_and_resumed(
    judge: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_forgetting, "_CHUNK", 2)
    texts = write_lines(tmp_path / "wiki.jsonl", [{"text": "Mara met Tor. " * n} for n in (1, 30, 2, 5, 3)])
    options = {"forgetting": [texts, f"short={texts}"], "window": 32, "limit": 1}
    whole = judge("whole", **options).forgetting
    assert list(whole) == ["wiki.jsonl", "short"]
    assert whole["short"] == whole["wiki.jsonl"]
    assert (whole["short"].texts, whole["short"].chars) == (5, 41 * 14)
    likelihoods, left = evaluate_forgetting.negative_log_likelihoods, iter([True, True])

    def stopping(*arguments: Any, **others: Any) -> list[float]:
        next(left)
        return likelihoods(*arguments, **others)

    monkeypatch.setattr(evaluate_forgetting, "negative_log_likelihoods", stopping)
    with pytest.raises(StopIteration):
        judge("killed", **options)
    monkeypatch.setattr(evaluate_forgetting, "negative_log_likelihoods", likelihoods)
    assert judge("killed", **options).forgetting == whole
    with pytest.raises(OptionError, match="window 5000 is more than the context"):
        judge("wide", **options | {"window": 5000})


# -- retrieval -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("index") / "index"
    passages = write_lines(folder.parent / "passages.jsonl", passage_rows())
    build_index(passages, encoder="tiny:encoder", out=folder, progress=Bars(quiet=True))
    return str(folder)


@pytest.fixture
def towns(tmp_path: Path) -> str:
    return write_lines(tmp_path / "towns.jsonl", question_rows()[:12])


def search(index: str, towns: str, folder: Path, **options: Any) -> EvaluateResult:
    given = {"retriever": "tiny:encoder", "passages": index, "questions": towns, "batch_size": 3} | options
    return evaluate(given.pop("model", None), out=folder, progress=Bars(quiet=True), **given)


def test_a_retriever_alone_is_measured_as_a_distillation_measures_it(index: str, towns: str, tmp_path: Path) -> None:
    found = search(index, towns, tmp_path / "out")
    assert (found.model, found.exact_match, found.fields) == (None, None, {})
    encoder = load_encoder(ModelSource(name="tiny:encoder"))
    retriever = Retriever(encoder, PassageIndex.open(Path(index), encoder=encoder))
    questions = list(read_questions(towns, on_rejected=lambda _: None))
    expected = retrieval(retriever.with_passages(questions, 20)).hr
    assert {name: one.mean for name, one in found.retrieval.items()} == {f"HR@{k}": e.mean for k, e in expected.items()}
    assert set(rows_of(tmp_path / "out")[0]["hits"]) == {"1", "5", "20"}
    assert 0 < found.retrieval["HR@5"].mean <= found.retrieval["HR@20"].mean


def test_an_index_is_made_of_passages_and_leaves_nothing_behind(index: str, towns: str, tmp_path: Path) -> None:
    passages = str(Path(index).parent / "passages.jsonl")
    made = search(passages, towns, tmp_path / "made", k="5")
    there = search(index, towns, tmp_path / "there", k="5")
    assert made.retrieval == there.retrieval
    names = {"answers.jsonl", "rejected.jsonl", "rejected-passages.jsonl", "run.json", ".elusive"}
    assert {entry.name for entry in (tmp_path / "made").iterdir()} == names
    assert not (tmp_path / "made/.elusive/corpus").exists()


def test_a_model_reads_what_is_found(index: str, towns: str, tmp_path: Path) -> None:
    found = search(index, towns, tmp_path / "out", model="tiny:reader", k="1,5")
    rows = rows_of(tmp_path / "out")
    hit = [row["em"] for row in rows if row["hits"]["5"]]
    assert found.exact_match is not None
    assert sum(hit) / len(hit) > 0.5, "a reader of the miniature answers where the answer is at hand"
    assert [row["id"] for row in rows] == [row["id"] for row in question_rows()[:12]]


def test_passages_that_do_not_fit_and_questions_that_cannot_be_read_are_counted(
    index: str, towns: str, reader_a: str, reader_t5: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*question_rows()[:2], {"id": "long", "question": "Where is " + "Orsk " * 600, "answers": ["x"]}]
    long = [{"id": str(n), "text": text} for n, text in enumerate(["Orsk is near Lisk. " * 60, "Lisk."])]
    asked = write_lines(tmp_path / "asked.jsonl", rows)
    passages = write_lines(tmp_path / "long.jsonl", long)
    given = {"retriever": "tiny:encoder", "passages": passages, "questions": asked, "k": "1", "reader_k": 2}
    for name, model in {"one prompt": reader_a, "fused": reader_t5}.items():
        found = evaluate(model, out=tmp_path / name, progress=Bars(), **given, max_new_tokens=4)
        assert (found.truncated, found.unreadable) == (2, 1), name
        assert rows_of(tmp_path / name)[2]["prediction"] == ""
        assert len(re.findall("of the 3 questions, 2 had passages cut .* 1 had no room", capsys.readouterr().err)) == 1
    fitting = search(index, towns, tmp_path / "fitting", model="tiny:reader")
    assert (fitting.truncated, fitting.unreadable) == (0, 0)
    assert "warning" not in capsys.readouterr().err
    assert search(index, towns, tmp_path / "alone").truncated is None


@pytest.mark.parametrize("kind", ["reader_a", "reader_t5"])
@pytest.mark.parametrize("seed", [None, 3])
def test_passages_are_cut_where_the_reader_cuts_them(
    kind: str, seed: int | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ReaderOptions(max_new_tokens=3, shuffle_seed=seed)
    reader = load_reader(ModelSource(name=request.getfixturevalue(kind)), options=options)
    module = decoder_only if kind == "reader_a" else fusion_in_decoder
    cuts: list[int] = []

    def noted(*arguments: Any, fitted: Any = module.fitted, **others: Any) -> Any:
        found = fitted(*arguments, **others)
        cuts.extend(found.n_cut)
        return found

    monkeypatch.setattr(module, "fitted", noted)
    monkeypatch.setattr(module, "generated" if kind == "reader_a" else "generated_from", lambda *_, **__: [""])
    seen = []
    for n in range(440, 530):
        passages = tuple(Passage(str(i), "", text) for i, text in enumerate(("a " * n, "b")))
        question = Question("q", "Who?", (), passages=passages)
        cuts.clear()
        reader.answers([question])
        assert is_cut(reader, question, max_new_tokens=3, shuffle_seed=seed) == any(cuts), n
        seen.append(any(cuts))
    assert set(seen) == {True, False}


def test_templates_are_of_no_use_for_whole_questions(judge: Evaluate, towns: str, people: str, tmp_path: Path) -> None:
    file = tmp_path / "templates.yaml"
    file.write_text("\n".join(f"{name}: What is the {name} of {{name}}?" for name in PEOPLE[0]["facts"]))
    with pytest.raises(
        OptionError, match=r"--templates are of fields and tags, and .*towns\.jsonl has whole questions"
    ):
        judge(questions=towns, templates=str(file))
    judge(questions=towns, templates=str(file), examples=people)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 64}, "--window is of the texts of --forgetting, and none are given"),
        ({"forgetting_limit": 3}, "--forgetting-limit is of the texts of --forgetting"),
        ({"reader_k": 2}, "--reader-k counts passages of a --retriever that a model reads, and one of them is missing"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options: dict[str, Any], message: str, judge: Evaluate) -> None:
    with pytest.raises(OptionError, match=message):
        judge(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reader_k": 2}, "--reader-k counts passages of a --retriever that a model reads"),
        ({"k": "99"}, f"99 passages are asked for and there are {N_PASSAGES}; lower --k or --reader-k"),
        ({"passages": None}, "--retriever needs --passages beside it"),
        ({"retriever": None}, "--passages needs --retriever beside it"),
        ({"shots": 2}, "--shots is of a model"),
        ({"forgetting": "x"}, "--forgetting is of a model"),
        ({"model": "tiny:reader", "shots": 2}, "--shots go before closed-book questions"),
        ({"k": "0"}, "k is .*from 1 on"),
    ],
)
def test_what_a_retriever_cannot_do_is_said(
    options: dict[str, Any], message: str, index: str, towns: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        search(index, towns, tmp_path / "out", **options)
