"""An output folder goes into four trainers as docs/TRAINING.md says: the scripts train, the configs find the rows."""

import importlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from elusive.choices import RowFormat
from elusive.jobs.augment import augment
from elusive.progress import Bars
from tests.tiny import byte_bpe, save_llama

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "continual_pretraining"
DOCUMENT = (ROOT / "docs" / "TRAINING.md").read_text(encoding="utf-8")
SCRIPTS = ("transformers_trainer", "trl_sft")
COPIES = 10
ROWS_PER_TEXT = COPIES + 1

pytestmark = [
    # Old names in transformers, of which peft and TRL still make use.
    pytest.mark.filterwarnings("ignore:`(is_)?gradient_checkpointing`:FutureWarning"),
    # Where there is no GPU.
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning"),
]

Main = Callable[[Sequence[str]], Trainer]


@pytest.fixture(autouse=True)
def _cache_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def mains() -> Iterator[dict[str, Main]]:
    """The entry points of the two scripts, imported from their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPE))
        yield {name: importlib.import_module(name).main for name in SCRIPTS}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model to train. Like those of Llama 3, its tokenizer has no padding token, so EOS has to serve."""
    tokenizer = byte_bpe()
    tokenizer.pad_token = None
    return save_llama(tmp_path_factory.mktemp("base"), seed=3, width=64, context=1024, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def folders(
    corpus: Path, large: str, small: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[RowFormat], Path]:
    """A finished run of `elusive augment` in each format; the folder's name is that of the document, `out`."""
    found: dict[RowFormat, Path] = {}

    def folder(row_format: RowFormat) -> Path:
        if row_format not in found:
            out = tmp_path_factory.mktemp(row_format) / "out"
            augment(
                corpus, large=large, small=small, out=out, copies=COPIES, format=row_format, progress=Bars(quiet=True)
            )
            found[row_format] = out
        return found[row_format]

    return folder


@pytest.fixture(params=["parquet", "jsonl", "csv"])
def folder(folders: Callable[[RowFormat], Path], request: pytest.FixtureRequest) -> Path:
    return folders(request.param)


@pytest.fixture(params=SCRIPTS)
def main(mains: dict[str, Main], request: pytest.FixtureRequest) -> Main:
    return mains[request.param]


def texts_in(folder: Path) -> list[str]:
    return sorted(datasets.load_dataset(str(folder), split="train")["text"])


def seen_in(trainer: Trainer, base: str) -> list[str]:
    """The texts as the trainer has them, BOS and EOS written out."""
    return sorted(AutoTokenizer.from_pretrained(base).batch_decode(list(trainer.train_dataset["input_ids"])))


def mean_loss(model: torch.nn.Module, trainer: Trainer) -> float:
    rows = [torch.tensor([ids]) for ids in trainer.train_dataset["input_ids"]]
    with torch.no_grad():
        losses = [model(input_ids=ids, labels=ids).loss.item() for ids in rows if ids.shape[1] > 1]
    return sum(losses) / len(losses)


def test_a_script_trains_on_each_row_once_an_epoch_and_lowers_its_loss(main, folder, base, texts, tmp_path):
    trainer = main([str(folder), base, str(tmp_path / "adapter"), "--epochs", "2"])
    n_rows = len(texts) * ROWS_PER_TEXT
    assert trainer.state.global_step == 2 * math.ceil(n_rows / 8)
    assert seen_in(trainer, base) == [f"<s>{text}</s>" for text in texts_in(folder)]
    assert len(trainer.train_dataset) == n_rows

    plain = AutoModelForCausalLM.from_pretrained(base).eval()
    before = mean_loss(plain, trainer)
    adapted = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    assert mean_loss(adapted, trainer) < before - 0.1


def test_the_end_of_each_text_is_learnt_although_it_serves_as_padding(main, folders, base, tmp_path):
    trainer = main([str(folders("parquet")), base, str(tmp_path / "adapter"), "--rows", "originals", "--epochs", "1"])
    end = trainer.processing_class.eos_token_id
    assert trainer.processing_class.pad_token_id == end
    for batch in trainer.get_train_dataloader():
        for labels in batch["labels"]:
            learnt = labels[labels != -100].tolist()
            assert learnt[-1] == end
            assert learnt.count(end) == 1


@pytest.mark.parametrize("which", ["originals", "copies"])
def test_originals_and_copies_can_be_trained_on_alone(main, folders, base, texts, tmp_path, which):
    folder = folders("parquet")
    trainer = main([str(folder), base, str(tmp_path / "adapter"), "--rows", which, "--epochs", ".1"])
    rows = datasets.load_dataset(str(folder), split="train")
    expected = [row["text"] for row in rows if (row["copy"] == 0) == (which == "originals")]
    assert seen_in(trainer, base) == sorted(f"<s>{text}</s>" for text in expected)
    assert len(expected) == len(texts) * (1 if which == "originals" else COPIES)


def test_of_a_long_text_transformers_sees_all_pieces_and_trl_the_first(mains, folders, base, texts, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(base)
    whole = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts.values()]
    limit = max(map(len, whole)) - 1  # the longest text leaves its EOS alone
    options = [str(folders("parquet")), base, str(tmp_path / "adapter"), "--rows", "originals", "--epochs", ".1"]
    rows = {
        name: list(main([*options, "--max-length", str(limit)]).train_dataset["input_ids"])
        for name, main in mains.items()
    }
    assert sorted(rows["trl_sft"]) == sorted(ids[:limit] for ids in whole)
    pieces = rows["transformers_trainer"]
    assert max(map(len, pieces)) == limit
    assert sum(ids[-1] == tokenizer.eos_token_id for ids in pieces) == len(whole)
    assert sorted(ids for ids in pieces if len(ids) == 2) == [max(whole, key=len)[-2:]]
    assert sum(map(len, pieces)) == sum(map(len, whole)) + 1, "the token before that EOS is there twice"


def test_the_same_seed_gives_the_same_adapter(main, folders, base, tmp_path):
    options = ["--rows", "originals", "--epochs", "1", "--seed"]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main([str(folders("parquet")), base, str(tmp_path / name), *options, seed])
    a, b, c = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


@pytest.fixture
def in_the_place_of_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)


@pytest.mark.usefixtures("in_the_place_of_the_command")
def test_axolotl_finds_the_rows(folder):
    [entry] = config("axolotl.yaml")["datasets"]
    rows = datasets.load_dataset(entry["path"], name=entry.get("name"), split=entry["split"], streaming=False)
    assert entry["type"] == "completion"
    assert sorted(rows[entry["field"]]) == texts_in(folder)


@pytest.mark.usefixtures("in_the_place_of_the_command")
def test_llama_factory_finds_the_rows(folder):
    found = config("llamafactory.yaml")
    entry = json.loads((RECIPE / found["dataset_dir"] / "dataset_info.json").read_text())[found["dataset"]]
    rows = datasets.load_dataset(
        path=entry["hf_hub_url"],
        name=entry.get("subset"),
        data_dir=entry.get("folder"),
        data_files=None,
        split=entry.get("split", "train"),
    )
    assert found["stage"] == "pt"
    assert sorted(rows[entry["columns"]["prompt"]]) == texts_in(folder)


def test_all_four_train_alike(mains, folders, base, tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "train", lambda self: None)
    for main in mains.values():
        trainer = main([str(folders("parquet")), base, str(tmp_path / "adapter")])
        [lora] = trainer.model.peft_config.values()
        args = trainer.args
        assert (args.num_train_epochs, args.per_device_train_batch_size, args.learning_rate) == (20, 8, 5e-4)
        assert (args.lr_scheduler_type, args.warmup_steps, args.max_grad_norm) == ("linear", 0.1, 1)
        assert (lora.r, lora.lora_alpha, lora.lora_dropout) == (16, 16, 0)
    axolotl, factory = config("axolotl.yaml"), config("llamafactory.yaml")
    assert (axolotl["num_epochs"], axolotl["micro_batch_size"], axolotl["learning_rate"]) == (20, 8, 5e-4)
    assert (axolotl["lr_scheduler"], axolotl["warmup_ratio"], axolotl["max_grad_norm"]) == ("linear", 0.1, 1)
    assert (axolotl["lora_r"], axolotl["lora_alpha"], axolotl["lora_dropout"]) == (16, 16, 0)
    assert (factory["num_train_epochs"], factory["per_device_train_batch_size"]) == (20, 8)
    assert (factory["learning_rate"], factory["lr_scheduler_type"]) == (5e-4, "linear")
    assert (factory["warmup_steps"], factory["max_grad_norm"]) == (0.1, 1)
    assert (factory["lora_rank"], factory["lora_alpha"], factory["lora_dropout"]) == (16, 16, 0)


def config(name: str) -> dict[str, Any]:
    return yaml.safe_load((RECIPE / name).read_text(encoding="utf-8"))


def test_the_document_quotes_the_files_as_they_are():
    quoted = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", DOCUMENT, flags=re.DOTALL))
    files = [path for path in RECIPE.iterdir() if path.suffix in {".py", ".yaml", ".json"}]
    assert quoted == {path.name: path.read_text(encoding="utf-8") for path in files}


def test_the_document_s_way_to_the_originals_alone_gives_them(folder, monkeypatch, tmp_path, texts):
    (tmp_path / "out").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    [snippet] = re.findall(r"<!-- run -->\n```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    exec(snippet, {})
    assert sorted(datasets.load_dataset("originals", split="train")["text"]) == sorted(texts.values())


def test_every_option_that_the_document_gives_a_script_exists(mains, capsys):
    for name, main in mains.items():
        with pytest.raises(SystemExit):
            main(["--help"])
        known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        given = re.findall(rf"{name}\.py(.*)", DOCUMENT)
        assert set(re.findall(r"--[a-z-]+", " ".join(given))) <= known
