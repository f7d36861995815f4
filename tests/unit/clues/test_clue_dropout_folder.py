"""The dropout of a finished run draws the rows that the run wrote."""

import json
from pathlib import Path

import datasets
import pytest
from datasets import load_dataset
from dropout_cases import TEXTS
from tiny import save_llama

import elusive
from elusive.clues.transform import ClueDropout
from elusive.errors import InputError
from elusive.progress import Bars


@pytest.fixture(autouse=True)
def _cache_of_this_test(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    return {
        name: save_llama(tmp_path_factory.mktemp(name), seed=seed, layers=1)
        for seed, name in enumerate(("large", "small"))
    }


def augmented(folder, models, **options) -> str:
    folder.mkdir(exist_ok=True)
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in TEXTS.items()))
    columns = {"id_column": "id", "text_column": "text"}
    out = folder / "out"
    elusive.augment(corpus, out=out, copies=4, progress=Bars(quiet=True), **columns, **models, **options)
    return str(out)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "parquet"},
        {"format": "jsonl", "protect": ("digits",), "unit": "word"},
        {"format": "csv", "drop_mode": "mask", "mask_string": "#", "seed": 4},
        {"guide": "random", "alpha": 0.3},
    ],
)
def test_each_copy_of_a_folder_is_drawn_again_in_its_epoch(tmp_path, models, options):
    out = augmented(tmp_path, models, **options)
    dropout = ClueDropout.from_folder(out)
    assert {row["source_id"]: row["text"] for row in dropout.originals()} == TEXTS
    rows = load_dataset(out, split="train")
    assert len(rows) == 5 * len(TEXTS)
    for row in rows:
        assert dropout.draw(TEXTS[row["source_id"]], row["source_id"], epoch=row["copy"]) == row["text"]
    assert len(set(rows["text"])) > 2 * len(TEXTS)


def test_a_folder_written_anew_or_of_the_same_name_is_not_taken_for_the_old_one(tmp_path, models):
    """`datasets` knows a local folder by its name and card, not by its files."""
    rows, probabilities = set(), set()
    for place, options in (("1", {}), ("1", {"alpha": 0.4, "overwrite": True}), ("2", {"seed": 5})):
        out = augmented(tmp_path / place, models, **options)
        rows.add(tuple(load_dataset(out, split="train")["text"]))
        probabilities.add(tuple(ClueDropout.from_folder(out)._drops["a"].probabilities))
    assert len(rows) == 3
    assert len(probabilities) == 2


def test_the_same_run_elsewhere_has_the_same_card(tmp_path, models):
    cards = {Path(augmented(tmp_path / place, models), "README.md").read_text() for place in ("1", "2")}
    assert len(cards) == 1


def test_a_folder_written_without_originals_says_so(tmp_path, models):
    dropout = ClueDropout.from_folder(augmented(tmp_path, models, originals=False))
    assert dropout.draw(TEXTS["a"], "a", epoch=1) != TEXTS["a"]
    with pytest.raises(InputError, match="--no-originals; bring the original texts yourself"):
        dropout.originals()


@pytest.mark.parametrize(("run", "message"), [(None, "holds no run"), ("{", "holds no run"), ("{}", "unfinished run")])
def test_a_folder_without_a_finished_run_is_refused(tmp_path, run, message):
    if run is not None:
        (tmp_path / "run.json").write_text(run)
    with pytest.raises(InputError, match=message):
        ClueDropout.from_folder(tmp_path)
