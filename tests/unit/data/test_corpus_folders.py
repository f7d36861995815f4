"""Folders as corpora: plain, saved by `datasets`, in Hub layout; and names of datasets on the Hub."""

import json
import re

import pytest
from corpus_files import WRITERS, as_jsonl, as_parquet, read_all

from elusive.data.corpus import read_corpus
from elusive.data.dataset_folder import dataset_card
from elusive.data.hub_dataset import HubDataset, hub_table
from elusive.data.tables import Row
from elusive.errors import InputError


@pytest.fixture
def offline(monkeypatch, tmp_path):
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", tmp_path / "modules")


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.parquet", "c.jsonl.gz"])
def test_files_of_one_format_are_read_in_order_of_their_paths(write, tmp_path, name):
    for place, text in (("b/1", "third"), ("a/2", "second"), ("a/1", "first")):
        write(f"corpus/{place}{name}", WRITERS[name]([text]))
    write("corpus/README.md", "# A corpus")
    write("corpus/.hidden.jsonl", "broken")
    write("corpus/.git/x.jsonl", "broken")
    assert read_all(tmp_path / "corpus").strings == ["first", "second", "third"]


def test_one_text_a_file_in_a_folder_of_txt(write, tmp_path):
    write("corpus/a.txt", "one\n\ntwo")
    write("corpus/b.txt", b"\xff")
    write("corpus/c.txt", "three")
    read = read_all(str(tmp_path / "corpus"))
    assert read.strings == ["one\n\ntwo", "three"]
    assert [(r.file, r.line) for r in read.rejections] == [(str(tmp_path / "corpus" / "b.txt"), None)]


def test_files_without_suffix_are_told_by_their_content(write, tmp_path):
    write("corpus/AA/wiki_00", as_jsonl(["one"]))
    write("corpus/AA/wiki_01", as_jsonl(["two"]))
    write("corpus/LICENSE", "free")
    assert read_all(tmp_path / "corpus").strings == ["one", "two"]


def test_files_of_several_formats_are_one_corpus(write, tmp_path):
    write("corpus/a.jsonl", as_jsonl(["one"]))
    write("corpus/b.parquet", as_parquet(["two"]))
    write("corpus/c.csv", "n;text\n1;three\n")
    write("corpus/LICENSE", "free")
    assert read_all(tmp_path / "corpus").strings == ["one", "two", "three"]


def test_prose_beside_tables_is_refused_with_counts_and_a_pattern(write, tmp_path):
    write("corpus/a.jsonl", as_jsonl(["one"]))
    write("corpus/b.jsonl", as_jsonl(["two"]))
    write("corpus/c.txt", "one")
    with pytest.raises(
        InputError, match=r"several formats \(2 jsonl, 1 txt\), prose among them; .*'.*corpus/\*\*/\*\.jsonl'"
    ):
        read_corpus(tmp_path / "corpus", on_rejected=print)
    assert read_all(f"{tmp_path}/corpus/**/*.jsonl").strings == ["one", "two"]


def test_one_table_in_two_formats_is_refused(write, tmp_path):
    write("corpus/a.jsonl", as_jsonl(["one"]))
    write("corpus/a.jsonl.gz", as_jsonl(["one"]))
    write("corpus/a.parquet", as_parquet(["one"]))
    with pytest.raises(InputError, match=r"several formats \(2 jsonl, 1 parquet\), such as a in 3; name one file"):
        read_corpus(tmp_path / "corpus", on_rejected=print)


def test_a_pattern_names_files(write, tmp_path, monkeypatch):
    for place, text in (("a/2.jsonl", "two"), ("a/1.jsonl", "one"), ("b/deep/3.jsonl", "three"), ("a/4.md", "no")):
        write(f"corpus/{place}", as_jsonl([text]))
    write("corpus/a/5.parquet", as_parquet(["five"]))
    write("corpus/a/rejected.jsonl", as_jsonl(["set aside by a run"]))
    root = tmp_path / "corpus"
    assert read_all(f"{root}/a/*.jsonl").strings == ["one", "two"]
    assert read_all(f"{root}/**/*.jsonl").strings == ["one", "two", "three"]
    assert read_all(f"{root}/a/*").strings == ["one", "two", "five"]
    assert read_all(root / "a/[12].jsonl").strings == ["one", "two"]
    monkeypatch.chdir(root)
    assert read_all("?/1.jsonl").strings == ["one"]
    with pytest.raises(InputError, match=r"no file matches \S*a/\*\.csv; what can be read: \.jsonl"):
        read_corpus(f"{root}/a/*.csv", on_rejected=print)
    with pytest.raises(InputError, match="no split 'test'"):
        read_corpus(f"{root}/a/*.jsonl", split="test", on_rejected=print)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(write):
    write("1.jsonl", as_jsonl(["other"]))
    assert read_all(write("[1].jsonl", as_jsonl(["one"]))).strings == ["one"]


def test_a_folder_with_nothing_to_read_is_refused(write, tmp_path):
    write("corpus/picture.png", b"\x89PNG")
    with pytest.raises(InputError, match=r"nothing to read in .*corpus; what can be read: \.jsonl"):
        read_corpus(tmp_path / "corpus", on_rejected=print)


SPLITS = {
    "shards": ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
    "names": ("train.parquet", "test.parquet"),
    "folders": ("train/a.parquet", "test/a.parquet"),
    "synonyms": ("training.parquet", "eval.parquet"),
}


@pytest.mark.parametrize("layout", SPLITS)
def test_splits_of_the_hub_layout_are_kept_apart(write, tmp_path, layout):
    train, test = SPLITS[layout]
    write(f"corpus/{train}", as_parquet(["train"]))
    write(f"corpus/{test}", as_parquet(["test"]))
    write("corpus/README.md", "---\nlicense: cc0-1.0\n---\n")
    assert read_all(tmp_path / "corpus").strings == ["train"]
    assert read_all(tmp_path / "corpus", split="test").strings == ["test"]
    with pytest.raises(InputError, match=r"no split 'tset' in .*; did you mean 'test'\?"):
        read_corpus(tmp_path / "corpus", split="tset", on_rejected=print)


def test_files_within_and_without_splits_are_refused(write, tmp_path):
    write("corpus/train.jsonl", as_jsonl(["train"]))
    write("corpus/more.jsonl", as_jsonl(["more"]))
    with pytest.raises(InputError, match=r"files of splits \(train\) and others \(more\.jsonl\)"):
        read_corpus(tmp_path / "corpus", on_rejected=print)


CARDS = {
    "a path": "data_files: d/*.jsonl",
    "a list of paths": "data_files: [d/a.jsonl, d/b.jsonl]",
    "splits": "data_files: [{split: train, path: d/*.jsonl}, {split: test, path: [t/*.jsonl]}]",
    "a folder": "data_dir: d\n  data_files: '*.jsonl'",
}


@pytest.mark.parametrize("declared", CARDS)
def test_the_card_tells_the_files_of_the_default_subset(write, tmp_path, declared):
    other = "- config_name: other\n  data_files: o.jsonl"
    card = f"---\nconfigs:\n{other}\n- config_name: default\n  {CARDS[declared]}\n---\n"
    write("corpus/README.md", card)
    write("corpus/d/a.jsonl", as_jsonl(["one"]))
    write("corpus/d/b.jsonl", as_jsonl(["two"]))
    write("corpus/o.jsonl", as_jsonl(["other"]))
    write("corpus/t/c.jsonl", as_jsonl(["test"]))
    assert read_all(tmp_path / "corpus").strings == ["one", "two"]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (
            "configs:\n- {config_name: a, data_files: x}\n- {config_name: b, data_files: x}",
            "no default ('a', 'b')",
        ),
        ("configs:\n- {config_name: a, data_files: 'none*'}", "names 'none*', and no file there"),
        ("configs:\n- {config_name: a, data_files: 'hf://x'}", "names data outside of it"),
        ("configs:\n- {config_name: a, data_files: '/etc/*'}", "names data outside of it"),
        ("configs: [", "is broken YAML"),
    ],
)
def test_a_card_that_leads_nowhere_is_refused(write, tmp_path, card, message):
    write("corpus/README.md", f"---\n{card}\n---\n")
    with pytest.raises(InputError, match=re.escape(message)) as error:
        read_corpus(tmp_path / "corpus", on_rejected=print)
    assert "\n" not in str(error.value)


def test_a_dataset_saved_to_disk(tmp_path, offline):
    import datasets

    strings = [f"text {i}" for i in range(300)]
    saved = datasets.Dataset.from_dict({"text": strings, "id": list(range(300))})
    saved.save_to_disk(tmp_path / "one", num_shards=3)
    datasets.DatasetDict({"train": saved, "test": saved.select([5])}).save_to_disk(tmp_path / "two")
    assert read_all(tmp_path / "one").strings == strings
    assert read_all(tmp_path / "two").ids == [str(i) for i in range(300)]
    assert read_all(tmp_path / "two", split="test").strings == ["text 5"]
    with pytest.raises(InputError, match=r"no split 'dev' in .*; there are: 'train', 'test'"):
        read_corpus(tmp_path / "two", split="dev", on_rejected=print)


def test_a_spoiled_state_of_a_saved_dataset_names_the_file(write, tmp_path):
    write("corpus/dataset_info.json", "{}")
    for content, message in (
        ("{", "cannot be read"),
        ("3", "cannot be read"),
        ("{}", "does not tell the files"),
    ):
        write("corpus/state.json", content)
        with pytest.raises(InputError, match=rf"state\.json {message}"):
            read_corpus(tmp_path / "corpus", on_rejected=print)


@pytest.mark.parametrize("features", [True, False])
def test_a_dataset_streams_through_the_reader_of_the_hub(write, tmp_path, offline, features):
    # A folder stands in for the Hub: `load_dataset` treats both alike.
    name = "train.parquet" if features else "train.jsonl"
    writer = WRITERS["c.parquet" if features else "c.jsonl"]
    write(f"dataset/{name}", writer(["one", "two"]))
    with hub_table(HubDataset(str(tmp_path / "dataset"), None, "train"), text_column="text") as table:
        assert "text" in table.columns
        rows = list(table.rows(["text"]))
    assert [(row.line, row.values["text"]) for row in rows if isinstance(row, Row)] == [
        (1, "one"),
        (2, "two"),
    ]


def test_a_dataset_that_does_not_tell_its_columns_is_read_ahead(monkeypatch, offline):
    import datasets

    rows = [{"other": 1}, {"other": 2, "text": "two"}, {"text": "three", "id": 3}]
    stream = datasets.IterableDataset.from_generator(lambda: iter(rows))
    assert stream.column_names is None
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: stream)
    read = read_all("o/n")
    assert read.strings == ["two", "three"]
    assert [(r.file, r.line) for r in read.rejections] == [("o/n", 1)]


def test_a_missing_split_of_a_dataset_is_one_line(write, tmp_path, offline):
    write("dataset/train.parquet", as_parquet(["one"]))
    dataset = HubDataset(str(tmp_path / "dataset"), None, "dev")
    with pytest.raises(InputError, match="split 'dev', cannot be read: Bad split: dev") as error:
        hub_table(dataset, text_column="text").__enter__()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["elusive-nobody/no-such-corpus", "no-such-corpus"])
def test_a_name_that_is_nowhere_says_where_was_looked(offline, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"no file or folder '{name}', and the Hugging Face Hub") as error:
        read_all(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (lambda e: e.DatasetNotFoundError("Dataset 'o/n' doesn't exist"), "no dataset of that name"),
        (lambda e: e.DatasetNotFoundError("Dataset 'o/n' is a gated dataset on the Hub."), "hf auth login"),
        (
            lambda e: ValueError("Config name is missing.\nPlease pick one among ['a', 'b']"),
            "'o/n:SUBSET'.*'a', 'b'",
        ),
        (
            lambda e: RuntimeError("Dataset scripts are no longer supported, but found n.py"),
            "no longer supported",
        ),
        (lambda e: ConnectionError("Couldn't reach the Hub"), "cannot be reached"),
        (lambda e: e.DatasetGenerationError("An error"), "cannot be read"),
        (lambda e: OSError(), "cannot be read: OSError"),
    ],
)
def test_errors_of_the_hub_become_one_line_that_says_what_to_do(monkeypatch, offline, error, message):
    import datasets

    def load_dataset(*_, **__):
        raise error(datasets.exceptions)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match=message) as raised:
        read_all("o/n")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("owner/name", ("owner/name", None)),
        ("owner/name:sub-1.0", ("owner/name", "sub-1.0")),
        ("squad", ("squad", None)),
        ("a/b/c", None),
        ("./a", None),
        ("a b", None),
    ],
)
def test_names_of_datasets(source, expected):
    parsed = HubDataset.parse(source, split="train")
    assert (parsed and (parsed.name, parsed.subset)) == expected
    assert parsed is None or str(parsed) == source


def test_a_run_of_ours_can_be_read_again(write, tmp_path):
    write("out/README.md", dataset_card({}, "# Ours", format="jsonl"))
    write("out/data/train-00000-of-00001.jsonl", as_jsonl(["one"]))
    write("out/clues/train-00000-of-00001.jsonl", b'{"token": "x"}\n')
    write("out/rejected.jsonl", "")
    write("out/run.json", json.dumps({}))
    assert read_all(tmp_path / "out").strings == ["one"]
