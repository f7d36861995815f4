"""The job: what comes out is ordinary and has learnt; what cannot work is refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, T5Config

from elusive.config import PretrainConfig, build
from elusive.errors import ElusiveError, InputError, ModelError, OptionError
from elusive.jobs import pretrain_data
from elusive.jobs.augment import AugmentResult, augment
from elusive.jobs.pretrain import pretrain
from elusive.jobs.pretrain_plan import plan_pretrain
from elusive.pretraining.result import PretrainResult
from elusive.progress import Bars
from tests.files import contents
from tests.tiny import WORDS, byte_bpe, save_llama

# An old name in transformers, of which peft makes use.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.usefixtures("without_page"),
]

QUIET = Bars(quiet=True)
SHORT: dict[str, Any] = {"steps": 6, "batch_size": 4, "lr": 1e-2, "device": "cpu"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": WORDS[4 * i :]}) + "\n" for i in range(9)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Like that of Llama 3, its tokenizer has no padding token, so that EOS has to serve."""
    tokenizer = byte_bpe()
    tokenizer.pad_token = None
    return save_llama(tmp_path_factory.mktemp("base"), seed=3, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def augmented(corpus: Path, large: str, small: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("augmented") / "out"
    augment(corpus, large=large, small=small, out=out, copies=2, progress=QUIET)
    return out


Pretrain = Callable[..., PretrainResult]


@pytest.fixture
def run(data: Path, base: str, tmp_path: Path) -> Pretrain:
    def run_pretrain(out: str = "out", **options: Any) -> PretrainResult:
        given = {"data": data, "model": base, **SHORT} | options
        return pretrain(given.pop("data"), out=tmp_path / out, progress=QUIET, **given)

    return run_pretrain


def mean_loss(model: Any, base: str) -> float:
    ids = AutoTokenizer.from_pretrained(base)(WORDS, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return float(model.eval()(input_ids=ids, labels=ids).loss)


def test_an_adapter_is_an_ordinary_one_on_its_base_and_has_learnt(run: Pretrain, base: str, tmp_path: Path) -> None:
    result = run(merge=True)
    config = json.loads((tmp_path / "out/adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == base
    plain = AutoModelForCausalLM.from_pretrained(base)
    before = mean_loss(plain, base)
    adapted = PeftModel.from_pretrained(plain, tmp_path / "out" / "adapter")
    after = mean_loss(adapted, base)
    assert after < before - 0.1
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model")
    assert mean_loss(merged, str(tmp_path / "out" / "model")) == pytest.approx(after, abs=1e-4)
    assert result.loss["last"] < result.loss["first"]
    assert (result.texts, result.rows, result.steps) == (9, 24, 6)
    assert result.epochs == pytest.approx(24 / 9, abs=1e-3)


def test_the_adapter_of_an_embedded_model_names_it_as_its_user_did(run: Pretrain, tmp_path: Path) -> None:
    run(model="tiny:large", steps=1)
    config = json.loads((tmp_path / "out/adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny:large"
    assert config["target_modules"] == sorted(config["target_modules"])
    written = b"".join(contents(tmp_path / "out", "adapter").values())
    assert b"embedded" not in written, "no path inside the package"


def test_full_training_gives_an_ordinary_model_that_augment_takes(
    run: Pretrain, small: str, corpus: Path, tmp_path: Path
) -> None:
    run(lora=0, lr=1e-3)
    assert not (tmp_path / "out" / "adapter").exists()
    model = tmp_path / "out" / "model"
    assert AutoTokenizer.from_pretrained(model)("a")["input_ids"][0] == 0, "it puts BOS as its base does"
    found: AugmentResult = augment(
        corpus, large=str(model), small=small, out=tmp_path / "augmented", copies=1, limit=2, progress=QUIET
    )
    assert found.texts == 2


def test_sixteen_bit_weights_are_trained_in_float32(base: str, run: Pretrain, tmp_path: Path) -> None:
    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(base).save_pretrained(half)
    run("whole", model=str(half), lora=0, lr=1e-7)
    whole = load_file(tmp_path / "whole" / "model" / "model.safetensors")
    before = load_file(half / "model.safetensors")
    moved = [name for name, weight in whole.items() if not torch.equal(weight, before[name].float())]
    assert len(moved) == len(whole), "steps too small for 16 bits count"
    run("adapter", model=str(half), steps=1)
    adapter = load_file(tmp_path / "adapter" / "adapter" / "adapter_model.safetensors")
    assert {weight.dtype for weight in adapter.values()} == {torch.float32}


@pytest.mark.parametrize("quick", [True, False])
def test_a_merged_model_says_the_type_of_its_weights(
    base: str, run: Pretrain, quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(base).save_pretrained(half)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: quick, raising=False)
    run(model=str(half), steps=1, merge=True)
    merged = load_file(tmp_path / "out" / "model" / "model.safetensors")
    config = json.loads((tmp_path / "out" / "model" / "config.json").read_text())
    assert {str(weight.dtype) for weight in merged.values()} == {f"torch.{config['dtype']}"}
    assert config["dtype"] == ("bfloat16" if quick else "float32")


def test_the_same_seed_gives_the_same_files(run: Pretrain, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(name, seed=seed, steps=2)
    a, b, c = (contents(tmp_path / name, "adapter") for name in "abc")
    assert a == b
    assert a["adapter/adapter_model.safetensors"] != c["adapter/adapter_model.safetensors"]


def test_accumulation_changes_nothing_but_the_parts(run: Pretrain, tmp_path: Path) -> None:
    for name, parts in (("whole", 1), ("parts", 4)):
        run(name, accumulation=parts, lora=0, lr=1e-4)
    whole, parts = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "parts"))
    for name, weight in whole.items():
        torch.testing.assert_close(parts[name], weight, rtol=0, atol=2e-5)


def test_metrics_are_a_line_every_ten_steps_and_at_the_first_and_last(run: Pretrain, tmp_path: Path) -> None:
    result = run(steps=23)
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 10, 20, 23]
    assert rows[-1]["tokens"] == result.tokens
    assert rows[-1]["epoch"] == result.epochs
    assert rows[2]["lr"] < rows[1]["lr"], "linear"
    assert result.loss == {"first": rows[0]["loss"], "last": rows[-1]["loss"]}


def test_copies_are_trained_on_as_they_were_written(augmented: Path, large: str, run: Pretrain) -> None:
    result = run(data=augmented, model=large, steps=None, epochs=1)
    assert result.texts == 15
    assert result.rows >= 45, "each text, and two copies of it; the long one in several rows"
    assert result.epochs == 1


def read(augmented: Path, large: str, **options: Any) -> pretrain_data.TrainingData:
    from elusive.jobs.pretrain_models import learner_source
    from elusive.pretraining.documents import DocumentTokenizer
    from elusive.pretraining.learner import own_tokenizer

    config = build(PretrainConfig, {"data": str(augmented), "model": large, "fresh": True, "epochs": 4} | options)
    tokenizer = DocumentTokenizer(own_tokenizer(learner_source(config)))
    return pretrain_data.read_all(config, tokenizer, max_len=128, on_rejected=pytest.fail, progress=QUIET)


def shown(data: pretrain_data.TrainingData, tokenizer: Any, epoch: int) -> set[str]:
    stream = data.streams[0]
    numbers = range(stream.n_rows(epoch) if epoch else 0, stream.n_rows(epoch + 1))
    return {tokenizer.decode(stream.row(number).ids, skip_special_tokens=True) for number in numbers}


def test_fresh_copies_are_others_each_epoch_and_those_that_augment_would_write(
    augmented: Path, large: str, texts: dict[str, str]
) -> None:
    data = read(augmented, large)
    tokenizer = AutoTokenizer.from_pretrained(large)
    epochs = [shown(data, tokenizer, epoch) for epoch in range(4)]
    short = {text for name, text in texts.items() if name.startswith("t")}
    assert short <= epochs[0], "the originals first"
    assert not short & epochs[1]
    assert epochs[1] & epochs[2] <= {texts["one"], ""}
    import datasets

    written = datasets.load_dataset(str(augmented), split="train")
    copies = {row["text"] for row in written if row["copy"] == 2 and row["source_id"].startswith("t")}
    assert copies <= epochs[2]
    assert data.epochs_after(data.order.n_steps) == 4


def test_dropping_by_attention_leaves_the_text_and_hides_tokens(augmented: Path, large: str) -> None:
    data = read(augmented, large, drop_by="attention", originals_every=2)
    stream = data.streams[0]
    n_rows = stream.n_rows(1)
    assert stream.n_rows(4) == 4 * n_rows, "texts stay as long as they are"
    hidden = [sum(stream.row(number).hidden.sum() for number in range(n_rows * e, n_rows * (e + 1))) for e in range(3)]
    assert hidden[0] == hidden[2] == 0
    assert hidden[1] > 0


@pytest.mark.parametrize("options", [{"fresh": True}, {"fresh": True, "drop_by": "attention"}, {"packing": True}])
def test_a_run_of_each_kind_comes_to_its_end(
    run: Pretrain, augmented: Path, large: str, options: dict[str, Any]
) -> None:
    result = run(data=augmented, model=large, steps=3, gradient_checkpointing=True, **options)
    assert result.steps == 3
    assert 0 < result.loss["last"] < 10


def test_replayed_rows_stand_beside_and_epochs_count_the_data_alone(run: Pretrain, data: Path) -> None:
    result = run(replay=[f"{data}:0.5"], steps=None, epochs=2)
    assert (result.rows, result.replayed, result.epochs) == (18, 18, 2)
    assert result.steps == 9


def test_too_few_steps_are_said(run: Pretrain, data: Path, base: str, tmp_path: Path) -> None:
    steps, seen = run(steps=2).warnings
    assert steps.startswith("2 optimizer steps are too few to learn anything")
    assert seen.startswith("each text is seen 0.9 times")
    enough = {"data": str(data), "model": base, "epochs": 100, "out": str(tmp_path / "plan"), "device": "cpu"}
    plan = plan_pretrain(build(PretrainConfig, enough), progress=QUIET)
    assert (plan.warnings, plan.steps, plan.rows, plan.epochs) == ((), 113, 900, 100)
    assert not (tmp_path / "plan").exists()


def test_a_diverged_run_names_the_step_and_keeps_its_checkpoint(run: Pretrain, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^the loss is nan at step \d+; lower --lr, or raise --warmup$"):
        run(lr=1e18, warmup=0.5, steps=40, save_every=1, lora=0)
    assert list((tmp_path / "out").glob(".elusive/parts/checkpoints/checkpoint-*/whole.json"))
    assert (tmp_path / "out" / "metrics.jsonl").read_text()


def test_global_draws_are_left_as_they_were(run: Pretrain) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(steps=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.fixture(scope="module")
def encoder_decoder(base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("t5")
    T5Config(d_model=8, d_ff=8, num_layers=1, num_heads=2, vocab_size=400).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("options", [{"dropout": 0.2}, {"replace_tokens": 0.2}])
def test_regularisers_change_the_weights_and_nothing_else_that_is_saved(
    run: Pretrain, tmp_path: Path, options: dict[str, Any]
) -> None:
    how = {"lora": 0, "lr": 1e-3}
    run("plain", **how)
    for name in ("one", "two"):
        run(name, **how, **options)
    plain, one, two = (contents(tmp_path / name, "model") for name in ("plain", "one", "two"))
    assert one == two
    assert {name for name in plain if plain[name] != one[name]} == {"model/model.safetensors"}


def test_fresh_copies_have_tokens_replaced_and_replayed_rows_have_none(
    run: Pretrain, augmented: Path, large: str, data: Path
) -> None:
    given = read(augmented, large, replace_tokens=0.3, replay=[f"{data}:0.5"])
    plain = read(augmented, large, replay=[f"{data}:0.5"])
    for number in range(2 * given.streams[0].n_rows(1)):
        row = given.streams[0].row(number)
        assert row.ids.tolist() == plain.streams[0].row(number).ids.tolist()
        assert row.read is not None
    assert given.streams[1].row(0).read is None
    assert run(data=augmented, model=large, steps=3, fresh=True, replace_tokens=0.3).loss["last"] > 0


def test_a_folder_without_copies_is_said_to_have_none(
    run: Pretrain, augmented: Path, large: str, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(augmented, bare)
    record = json.loads((bare / "run.json").read_text())
    record["options"]["copies"] = 0
    (bare / "run.json").write_text(json.dumps(record))
    [note] = [line for line in run(data=bare, model=large, steps=1).warnings if "no copies" in line]
    assert "add --fresh to train on copies that are drawn afresh each epoch" in note
    assert not [line for line in run("copies", data=augmented, model=large, steps=1).warnings if "no copies" in line]
    assert not [line for line in read(bare, large).warnings if "no copies" in line], "with --fresh"


def refused(run: Pretrain, kind: type[ElusiveError], message: str, **options: Any) -> None:
    with pytest.raises(kind, match=message) as error:
        run(**options)
    assert "\n" not in str(error.value)


def test_what_cannot_be_trained_is_refused_in_one_line(
    run: Pretrain, augmented: Path, base: str, encoder_decoder: str, tmp_path: Path
) -> None:
    empty, one, short = tmp_path / "empty.jsonl", tmp_path / "one.jsonl", tmp_path / "short"
    empty.write_text('{"text": " "}\n')
    one.write_text('{"text": "a"}\n')
    shutil.copytree(base, short)
    config = AutoConfig.from_pretrained(base)
    config.max_position_embeddings = 4
    config.save_pretrained(short)
    unfinished = tmp_path / "unfinished"
    shutil.copytree(augmented, unfinished)
    record = json.loads((unfinished / "run.json").read_text())
    (unfinished / "run.json").write_text(json.dumps(record | {"finished": False}))

    refused(run, ModelError, "no such folder", model="./no-such")
    refused(run, ModelError, "is an encoder-decoder model; expected a decoder-only one", model=encoder_decoder)
    refused(run, ModelError, "reads 4 tokens at a time", model=str(short))
    refused(run, OptionError, "^--max-length 200 is more than .* was made for, 128 tokens$", max_length=200)
    refused(run, InputError, "no column 'body'", text_column="body")
    refused(run, InputError, "no usable texts", data=empty)
    refused(run, InputError, "holds no run of elusive augment", fresh=True)
    refused(run, InputError, "holds an unfinished run", data=unfinished)
    refused(run, InputError, "holds an unfinished run", data=unfinished, fresh=True)
    refused(run, InputError, "no file or folder|no such|'gone'", replay=["gone:0.5"])
    refused(run, OptionError, "no layer for --lora-targets wq; its linear layers are down_proj,", lora_targets="wq")
    refused(run, OptionError, "cannot be shared evenly by --accumulation 3", accumulation=3)
    refused(run, OptionError, "would round small steps away", lora=0, dtype="bfloat16")
    refused(run, OptionError, "choose them by CUDA_VISIBLE_DEVICES", device="cuda:1")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replay": ["x"]}, "no DATA:SHARE"),
        ({"replay": ["x:1"]}, "no DATA:SHARE"),
        ({"replay": ["x:0"]}, "no DATA:SHARE"),
        ({"replay": ["x:nan"]}, "no DATA:SHARE"),
        ({"replay": ["a:b:0.5", "x:0.5"]}, "the shares leave no room"),
        ({"lora": 0, "quantize": "nf4"}, "quantised weights cannot be trained"),
        ({"lora": 0, "merge": True}, "leave --merge out"),
        ({"quantize": "int8", "merge": True}, "would round the adapter into quantised weights"),
        ({"originals_every": 3}, "add --fresh"),
        ({"drop_by": "attention"}, "add --fresh"),
        ({"fresh": True, "drop_by": "attention", "packing": True}, "both say who sees whom"),
        ({"fresh": True, "text_column": "body"}, "--text-column is for reading texts"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build(PretrainConfig, options)


def test_a_name_with_colons_can_be_replayed() -> None:
    config = build(PretrainConfig, {"replay": "owner/name:subset:0.25"})
    assert config.replayed == (("owner/name:subset", 0.25),)
