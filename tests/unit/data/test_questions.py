"""Every layout of questions gives the same questions, and none is taken for another."""

import dataclasses
import gzip
import os
import random
import subprocess
import sys

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from question_samples import ENCODINGS, LAYOUTS, QUESTIONS, as_array, as_cells, as_lines, as_parquet, questions_of

from elusive.data.beir import read_qrels
from elusive.data.question_files import read_questions
from elusive.data.question_layouts import QUESTION_LAYOUTS, find_layout
from elusive.data.questions import Passage, Question, n_shared_questions, normalised_question
from elusive.errors import InputError, OptionError

FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture]


def without_ids(questions):
    return [dataclasses.replace(question, id="") for question in questions]


def compare(read, layout, questions=QUESTIONS):
    expected = layout.expected(questions)
    if "id" in layout.keeps:
        assert read.items == expected
    else:
        assert without_ids(read.items) == without_ids(expected)
        assert len({question.id for question in read.items}) == len(questions)
    assert not read.rejections


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_questions(write, layout, encoding):
    records = [LAYOUTS[layout].record(question) for question in QUESTIONS]
    compare(questions_of(write(encoding, ENCODINGS[encoding](records))), LAYOUTS[layout])


@pytest.mark.parametrize("layout", ["plain", "nq-open", "flashrag", "squad", "results", "trivia-of-the-hub"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_lists_written_out_in_cells_are_lists(write, layout, delimiter):
    records = [LAYOUTS[layout].record(question) for question in QUESTIONS]
    compare(questions_of(write("q.csv", as_cells(records, delimiter=delimiter))), LAYOUTS[layout])


@pytest.mark.parametrize("name", ["nq-test.qa.csv", "q.tsv", "q", "q.csv.gz"])
def test_question_files_of_dpr_have_no_header(write, name):
    records = [{"q": q.question, "a": list(q.answers)} for q in QUESTIONS]
    content = as_cells(records, delimiter="\t", header=False)
    content = gzip.compress(content) if name.endswith("gz") else content
    compare(questions_of(write(name, content)), LAYOUTS["plain"])


@pytest.mark.parametrize("quote", ["json", "python"])
def test_a_cell_may_hold_json_too(write, quote):
    cell = '["a", null, true]' if quote == "json" else "['a', None, True]"
    read = questions_of(write("q.tsv", f"question\tanswers\nq\t{cell}\n"))
    assert read.items[0].answers == ("a",)
    assert [rejection.detail for rejection in read.rejections] == ["None", "True"]


@settings(deadline=None, max_examples=12, suppress_health_check=FUNCTION_SCOPED)
@given(seed=st.integers(0, 2**32), extra=st.lists(st.text(min_size=1, max_size=5), max_size=3), bom=st.booleans())
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_told_whatever_the_order_and_company_of_its_columns(write, layout, seed, extra, bom):
    shuffle = random.Random(seed).shuffle
    records = []
    for question in QUESTIONS:
        items = [*LAYOUTS[layout].record(question).items(), *((f"x-{name}", name) for name in extra)]
        shuffle(items)
        records.append(dict(items))
    found = find_layout(QUESTION_LAYOUTS, records[0], file="f", options="o")
    assert found is not None
    assert found.name == LAYOUTS[layout].name
    for as_bytes in (as_lines, as_array):
        content = (b"\xef\xbb\xbf" if bom else b"") + as_bytes(records)
        compare(questions_of(write("q.json", gzip.compress(content, 1) if seed % 2 else content)), LAYOUTS[layout])


any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
any_passage = st.builds(
    Passage,
    id=any_text,
    title=any_text | st.just(""),
    text=any_text,
    score=st.floats(allow_nan=False, allow_infinity=False),
)
any_question = st.builds(
    Question,
    id=any_text,
    question=any_text,
    answers=st.lists(any_text, min_size=1, max_size=3, unique=True).map(tuple),
    target=any_text.filter(lambda target: target != "<unk>"),
    passages=st.lists(any_passage, max_size=2).map(tuple),
)
any_questions = st.lists(any_question, min_size=1, max_size=3, unique_by=lambda question: question.id)


@settings(deadline=None, max_examples=25, suppress_health_check=FUNCTION_SCOPED)
@given(questions=any_questions)
@pytest.mark.parametrize("layout", ["results", "dpr-training", "trivia-original", "kilt"])
def test_any_unicode_comes_back_unchanged(write, layout, questions):
    records = [LAYOUTS[layout].record(question) for question in questions]
    for name in ("q.jsonl", "q.json", "one-line.json", "wrapped.json"):
        compare(questions_of(write(name, ENCODINGS[name](records))), LAYOUTS[layout], questions)


@settings(deadline=None, max_examples=60, suppress_health_check=FUNCTION_SCOPED)
@given(questions=any_questions)
def test_any_unicode_comes_back_out_of_cells(write, questions):
    records = [{"question": q.question, "answers": list(q.answers)} for q in questions]
    compare(questions_of(write("q.csv", as_cells(records))), LAYOUTS["plain"], questions)
    if "\r" not in "".join(q.question for q in questions):  # csv before 3.13 writes it bare between tabs
        content = as_cells(records, delimiter="\t", header=False)
        compare(questions_of(write("q.qa.csv", content)), LAYOUTS["plain"], questions)


def test_a_file_in_no_known_layout_is_told_in_one_line(write):
    path = write("q.jsonl", as_lines([{"prompt": "p" * 10_000, "completion": "c"}]))
    with pytest.raises(InputError, match=r"no known layout of questions; its first record: .*'prompt'.*KILT") as told:
        questions_of(path)
    assert len(str(told.value)) < 1_000
    assert "\n" not in str(told.value)
    for content in ("just prose\nof two lines\n", "a,b\n1,2\n", "id\ttext\ttitle\n1\tt\tT\n"):
        with pytest.raises(InputError, match="no known layout of questions"):
            questions_of(write("q.csv", content))


def test_a_corpus_of_beir_is_not_taken_for_queries(write):
    with pytest.raises(InputError, match="no known layout of questions"):
        questions_of(write("corpus.jsonl", as_lines([{"_id": "1", "title": "T", "text": "t"}])))


def test_a_file_that_fits_two_layouts_is_refused_unless_columns_are_named(write):
    path = write("q.jsonl", as_lines([{"question": "q", "answer": "a", "golden_answers": ["g"]}]))
    with pytest.raises(InputError, match=r"fits the layouts NQ-open.* and FlashRAG; name its columns with"):
        questions_of(path)
    assert questions_of(path, answer_column="golden_answers").items[0].answers == ("g",)


def test_columns_may_have_any_names(write):
    path = write("q.parquet", as_parquet([{"frage": "q", "antwort": ["a"], "nr": 7}]))
    read = questions_of(path, question_column="frage", answer_column="antwort", id_column="nr")
    assert read.items == [Question("7", "q", ("a",))]
    with pytest.raises(InputError, match=r"no column 'answers' in .*antwort.* \(choose one with --answer-column\)"):
        questions_of(path, question_column="frage")
    with pytest.raises(InputError, match=r"no column 'nummer' in .*--id-column"):
        questions_of(path, question_column="frage", answer_column="antwort", id_column="nummer")


def test_a_column_there_twice_is_refused(write):
    with pytest.raises(InputError, match="column 'answers' is there 2 times"):
        questions_of(write("q.csv", "question,answers,answers\nq,a,b\n"))


def test_ids_are_made_from_the_question_where_there_are_none(write):
    path = write("q.jsonl", as_lines([{"question": q, "answer": ["a"]} for q in ("x", "y", "x")]))
    ids = [question.id for question in questions_of(path).items]
    assert [made[-2:] for made in ids] == ["-0", "-0", "-1"]
    assert ids[0][:-2] == ids[2][:-2] != ids[1][:-2]


def test_double_ids_are_refused_unless_ids_are_made(write):
    path = write("q.jsonl", as_lines([{"id": 1, "question": q, "answer": ["a"]} for q in ("x", "y")]))
    with pytest.raises(InputError, match=r"id '1' is there twice: .*:1 and .*:2"):
        questions_of(path)
    assert len(questions_of(path, id_column="").items) == 2


def test_a_passage_has_one_id_whichever_question_it_comes_with(write):
    passages = [{"text": "one"}, {"text": "one"}, {"text": "two"}]
    records = [{"question": "x", "answers": ["a"], "ctxs": chosen} for chosen in (passages, passages[1:])]
    first, second = questions_of(write("q.jsonl", as_lines(records))).items
    assert first.passages[0] == second.passages[0]
    assert first.passages[2] == second.passages[1]
    assert len({passage.id for passage in first.passages}) == 3


def test_the_target_answer_is_the_target_else_the_first_answer():
    assert Question("1", "q", ("a", "b")).target_answer == "a"
    assert Question("1", "q", ("a", "b"), "b").target_answer == "b"
    assert Question("1", "q", ()).target_answer is None


def test_nouns_are_read_where_they_are_marked(write):
    path = write("q.jsonl", as_lines([{"question": "who", "answers": ["a"], "nouns": n} for n in (["x"], [], None)]))
    assert [question.nouns for question in questions_of(path).items] == [("x",), (), None]


def test_a_saved_dataset_and_a_folder_of_files_are_read(tmp_path, write):
    records = [LAYOUTS["trivia-of-the-hub"].record(question) for question in QUESTIONS]
    saved = datasets.DatasetDict({"validation": datasets.Dataset.from_list(records)})
    saved.save_to_disk(tmp_path / "saved")
    compare(questions_of(tmp_path / "saved", split="validation"), LAYOUTS["trivia-of-the-hub"])
    for number, record in enumerate(records):
        write(f"folder/test-{number:05d}-of-00002.parquet", as_parquet([record]))
    compare(questions_of(tmp_path / "folder", split="test"), LAYOUTS["trivia-of-the-hub"])


@pytest.fixture
def beir(write):
    records = [{"_id": f"q{n}", "text": f"query {n}"} for n in range(4)]
    queries = write("beir/queries.jsonl", as_lines(records))
    write("beir/corpus.jsonl.gz", gzip.compress(as_lines([{"_id": "d1", "title": "T", "text": "t"}])))
    write("beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq3\td1\t1\nq1\td1\t2\nq1\td1\tx\n")
    return queries.parent


def test_judgements_are_read_by_query_and_passage(beir):
    rejected = []
    relevance = read_qrels(beir / "qrels" / "test.tsv", on_rejected=rejected.append)
    assert relevance == {"q3": {"d1": 1}, "q1": {"d1": 2}}
    assert len(rejected) == 1
    with pytest.raises(InputError, match=r"no column 'query-id' in .*; there are: '_id', 'text'$"):
        read_qrels(beir / "queries.jsonl", on_rejected=print)


def test_a_split_of_beir_is_what_its_judgements_name(beir):
    read = questions_of(beir, split="test")
    assert [question.id for question in read.items] == ["q1", "q3"]
    assert [question.answers for question in read.items] == [(), ()]
    assert read.reasons == [(4, "relevance is not an integer")]
    with pytest.raises(InputError, match=r"no split 'train' in .*qrels; there are: 'test'"):
        questions_of(beir)


def test_limit_ends_the_reading_there(write):
    path = write("q.jsonl", as_lines([{"question": "q", "answer": ["a"]}] * 2) + b"broken\n")
    assert len(questions_of(path, limit=2).items) == 2
    with pytest.raises(OptionError, match="limit is 0"):
        questions_of(path, limit=0)


def test_a_source_that_is_missing_is_told_at_once(tmp_path):
    for source, told in ((tmp_path / "q.jsonl", "no file or folder"), ("", "no source is named")):
        with pytest.raises(InputError, match=told):
            read_questions(source, on_rejected=print)


def test_reading_left_half_way_leaves_no_file_open(write):
    records = [LAYOUTS["results"].record(question) for question in QUESTIONS]
    for name, as_bytes in ENCODINGS.items():
        questions = read_questions(write(name, as_bytes(records)), on_rejected=print)
        next(questions)
        del questions  # an open file would warn here, and warnings are errors


def test_importing_the_readers_loads_nothing_heavy():
    code = (
        "import sys, elusive.data.question_files, elusive.data.passage_files, elusive.data.bm25\n"
        "heavy = {'datasets', 'pyarrow', 'zstandard', 'numpy', 'torch', 'bm25s'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("question", "other", "shared"),
    [
        ("Who wrote Faust?", "who  wrote «FAUST»", True),
        ("ﬁnal ＡＢＣ", "final abc", True),
        ("STRASSE", "straße", True),
        ("c++ or c", "c or c", False),
        ("कि", "की", False),
        ("???", "!!!", False),
        ("???", "???", True),
    ],
)
def test_questions_are_the_same_up_to_case_punctuation_and_form(question, other, shared):
    counted = n_shared_questions([Question("1", question, ())] * 2, [Question("2", other, ())])
    assert counted == (2 if shared else 0)


@given(st.text())
def test_normalising_twice_is_normalising_once(question):
    assert normalised_question(normalised_question(question)) == normalised_question(question)


@pytest.mark.parametrize("question", ["{", "{}", "[]", "[{", "{\n", "a\nb", "one, two", '"', "[", "{ 'a'"])
def test_the_first_question_of_a_file_may_look_like_another_format(write, question):
    records = [{"q": question, "a": ["a"]}, {"q": "second", "a": ["b"]}]
    for name in ("q.qa.csv", "q.tsv"):
        read = questions_of(write(name, as_cells(records, delimiter="\t", header=False)))
        assert [found.question for found in read.items] == [question, "second"]


def test_a_dataset_of_the_hub_is_read_by_its_name(monkeypatch):
    records = [LAYOUTS["trivia-of-the-hub"].record(question) for question in QUESTIONS]
    typed = datasets.Dataset.from_list(records).to_iterable_dataset()
    untyped = datasets.IterableDataset.from_generator(lambda: iter(records))
    for stream in (typed, untyped):
        monkeypatch.setattr(datasets, "load_dataset", lambda *_, stream=stream, **__: stream)
        compare(questions_of("owner/name:rc.nocontext"), LAYOUTS["trivia-of-the-hub"])


def test_all_queries_of_beir_are_read_where_there_are_no_judgements(write):
    queries = write("beir/queries.jsonl.gz", gzip.compress(as_lines([{"_id": "1", "text": "query"}])))
    write("beir/corpus.jsonl", as_lines([{"_id": "d", "text": "t"}]))
    assert questions_of(queries.parent).items == [Question("1", "query", ())]
    with pytest.raises(InputError, match=r"no split 'test': .* has no splits"):
        questions_of(queries.parent, split="test")


def test_a_csv_header_may_hold_a_tab_within_quotes(write):
    read = questions_of(write("q.csv", '"a\tb",question,answer\n1,q,Paris\n'))
    assert [(question.question, question.answers) for question in read.items] == [("q", ("Paris",))]
