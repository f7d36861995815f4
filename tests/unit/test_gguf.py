"""GGUF files: the same weights, tokens and readings as from safetensors, and one line for what cannot be loaded."""

import importlib.util
import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import huggingface_hub
import pytest
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from elusive import models, received_attention
from elusive.clues.card import augment_card
from elusive.config import AugmentConfig, EvaluateConfig, build
from elusive.errors import ElusiveError, MissingExtraError, ModelError, OptionError
from elusive.gguf_files import HubFile, loading_options, on_the_hub, read_header
from elusive.jobs.augment import augment
from elusive.jobs.evaluate_model import evaluated_model
from elusive.jobs.inputs import pinned_source
from elusive.jobs.pretrain import pretrain
from elusive.models import (
    ModelSource,
    context_len,
    dtype_name,
    fingerprint,
    load_config,
    load_generative_model,
    load_model,
    load_tokenizer,
)
from elusive.progress import Bars
from elusive.retrieval.encoder import load_encoder
from elusive.tokenization import TextTokenizer
from tests.files import contents
from tests.gguf_models import save_gguf, save_pair
from tests.tiny import WORDS, byte_bpe, save_llama

TEXTS = [WORDS, "naïve 👩‍👩‍👧 日本語 é <s> שלום", "a"]
QUIET = Bars(quiet=True)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return save_pair(tmp_path_factory.mktemp("pair"), layers=2)


@pytest.fixture
def file(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    """A GGUF file in a folder of the test, which may change it."""
    return Path(shutil.copy(pair[1], tmp_path / "model.gguf"))


def source(path: Path, **options: Any) -> ModelSource:
    return ModelSource(name=str(path), **options)


def line_of(load: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(ElusiveError) as error:
        load(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_1])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_are_those_of_the_folder_bit_for_bit(tmp_path: Path, kind: Type, dtype: str) -> None:
    dense, packed = save_pair(tmp_path, kind=kind)
    expected, found = (load_generative_model(source(path, dtype=dtype)) for path in (dense, packed))
    weights = found.state_dict()
    assert expected.state_dict().keys() == weights.keys()
    for name, weight in expected.state_dict().items():
        assert torch.equal(weights[name], weight), name
    assert not found.training


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(Type.F32, "float32"), (Type.F16, "float16"), (Type.BF16, "bfloat16"), (Type.Q8_0, "float32")],
)
def test_auto_is_the_files_own_dtype_and_float32_where_it_is_quantised(tmp_path: Path, kind: Type, dtype: str) -> None:
    _, packed = save_pair(tmp_path, kind=kind)
    assert dtype_name(source(packed)) == dtype
    assert load_model(source(packed)).dtype == getattr(torch, dtype)
    assert dtype_name(source(packed, dtype="float16")) == "float16"


def test_tokens_offsets_and_readings_are_those_of_the_folder(pair: tuple[Path, Path]) -> None:
    found = []
    for path in pair:
        tokenizer = load_tokenizer(source(path))
        texts = TextTokenizer(tokenizer, name="tiny").encode(TEXTS, names=["a", "b", "c"])
        model = load_model(source(path))
        scores = [received_attention(model, torch.from_numpy(one.ids)[None])[0] for one in texts]
        found.append((texts, scores))
    for dense, packed in zip(*[one[0] for one in found], strict=True):
        assert dense.ids.tolist() == packed.ids.tolist()
        assert dense.starts.tolist() == packed.starts.tolist()
        assert dense.ends.tolist() == packed.ends.tolist()
    for dense, packed in zip(*[one[1] for one in found], strict=True):
        assert torch.equal(dense.nan_to_num(-1), packed.nan_to_num(-1))
    assert load_tokenizer(source(pair[1])).chat_template.startswith("{% for message in messages %}")


def test_a_file_is_named_itself_or_by_its_folder(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, packed = pair
    monkeypatch.chdir(packed.parent.parent)
    names = [str(packed), "packed/model.gguf", str(packed.parent), "packed"]
    for name in names:
        assert ModelSource(name=name).gguf == packed
        assert context_len(load_config(ModelSource(name=name))) == 128
    assert len({fingerprint(ModelSource(name=name)) for name in names}) == 1
    assert source(pair[0]).gguf is None
    shutil.copytree(pair[0], tmp_path / "both")
    shutil.copy(packed, tmp_path / "both")
    assert source(tmp_path / "both").gguf is None  # safetensors win
    assert source(tmp_path / "both/model.gguf").gguf == tmp_path / "both/model.gguf"


def test_a_file_of_the_same_name_in_the_working_directory_is_left_alone(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers would take its weights from there."""
    _, other = save_pair(tmp_path, seed=5)
    monkeypatch.chdir(other.parent)
    expected, found = (load_model(source(path)) for path in pair)
    assert torch.equal(found.get_input_embeddings().weight, expected.get_input_embeddings().weight)


def test_an_at_sign_in_the_name_of_a_file_starts_no_revision(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v@2").mkdir()
    file.rename(tmp_path / "v@2/model.gguf")
    monkeypatch.chdir(tmp_path)
    config = build(EvaluateConfig, {})
    assert pinned_source(config, "v@2/model.gguf").written == "v@2/model.gguf"
    assert pinned_source(config, "user/repo/model.gguf@main").revision == "main"


def test_a_fingerprint_tells_files_apart_and_reads_large_ones_in_part(
    file: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fingerprint(source(file))
    assert whole == fingerprint(source(pair[1]))
    monkeypatch.setattr(models, "_WHOLE_FILE", 50_000)
    monkeypatch.setattr(models, "_SAMPLES", 3)
    sampled = fingerprint(source(file))
    assert sampled != whole
    data = file.read_bytes()
    begin = read_header(file, name="file").n_bytes
    assert begin > 4096 + 500  # of the samples, the first ends before
    for changed in (begin - 500, len(data) - 1):
        file.write_bytes(data[:changed] + bytes([data[changed] ^ 1]) + data[changed + 1 :])
        assert fingerprint(source(file)) != sampled
    unread = len(data) // 4
    file.write_bytes(data[:unread] + bytes([data[unread] ^ 1]) + data[unread + 1 :])
    assert fingerprint(source(file)) == sampled


def test_a_config_and_a_tokenizer_beside_the_file_win(file: Path, pair: tuple[Path, Path]) -> None:
    before = fingerprint(source(file))
    config = json.loads((pair[0] / "config.json").read_text())
    del config["dtype"]
    (file.parent / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 64}))
    byte_bpe(vocab_size=300).save_pretrained(file.parent)
    assert context_len(load_config(source(file))) == 64
    assert dtype_name(source(file)) == "float32"
    assert len(load_tokenizer(source(file))) == 300
    assert load_model(source(file)).config.max_position_embeddings == 64
    assert fingerprint(source(file)) != before
    (file.parent / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    assert "the shapes of its weights are not those that its config says" in line_of(load_model, source(file))


def test_the_header_is_what_the_gguf_package_reads(tmp_path: Path) -> None:
    for kind in (Type.F32, Type.Q8_0, Type.Q4_1):
        _, packed = save_pair(tmp_path / kind.name, kind=kind)
        reader, header = gguf.GGUFReader(packed), read_header(packed, name="file")
        assert header.architecture == reader.fields["general.architecture"].contents()
        assert list(header.tensor_types) == sorted({tensor.tensor_type.name for tensor in reader.tensors})
        assert header.n_bytes == reader.data_offset


def test_several_files_and_parts_of_one_are_named(file: Path) -> None:
    shutil.copy(file, file.parent / "other.GGUF")
    assert "the folder has several GGUF files: model.gguf, other.GGUF; name one" in line_of(
        load_config, source(file.parent)
    )
    part = file.rename(file.parent / "big-00001-of-00003.gguf")
    assert "big-00001-of-00003.gguf is one of 3 parts" in line_of(load_config, source(part))
    assert "is one of 3 parts" in line_of(load_config, source(file.parent))


def test_what_is_no_gguf_file_or_a_damaged_one_is_said(file: Path) -> None:
    data = file.read_bytes()
    header = read_header(file, name="file").n_bytes
    for content, words in (
        (b"", "not a GGUF file: it has 0 bytes"),
        (b"version https://git-lfs", "not a GGUF file: it begins with b'vers', expected b'GGUF'"),
        (b"GGUF" + struct.pack("<I", 9) + data[8:], "of GGUF version 9; expected 2 or 3"),
        (data[:-200], f"the file is cut off: it has {len(data) - 200:,} bytes of {len(data):,}; download it again"),
        (data[: header // 2], "the GGUF file is damaged or cut off (its header reaches beyond its"),
        (data[:30], "the GGUF file is damaged or cut off ("),
    ):
        file.write_bytes(content)
        assert words in line_of(load_config, source(file))
        assert words in line_of(fingerprint, source(file))


def test_damage_anywhere_is_one_line_or_no_fault(file: Path) -> None:
    data = file.read_bytes()
    header = read_header(file, name="file").n_bytes
    rng = random.Random(0)
    lines = []
    for _ in range(60):
        at = rng.randrange(header)
        file.write_bytes(data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :])
        try:
            load_config(source(file))
            load_tokenizer(source(file))
        except ElusiveError as error:
            lines.append(str(error))
    assert len(lines) > 10
    assert not any("\n" in line for line in lines)


def test_what_transformers_does_not_read_is_said_with_architecture_and_types(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    odd = tmp_path / "odd.gguf"
    save_gguf(odd, pair[0], architecture="clip", kind=Type.Q8_0)
    message = line_of(load_config, source(odd))
    assert "cannot load its config from the GGUF file (architecture clip, tensors F32, Q8_0): " in message
    assert message.endswith("take the model as safetensors, or another file")
    save_gguf(odd, pair[0])
    data = bytearray(odd.read_bytes())
    at = data.index(b"output_norm.weight") + len(b"output_norm.weight") + 4 + 8  # one dimension, then the type
    assert struct.unpack_from("<I", data, at) == (Type.F32,)
    for kind, words in ((26, "the gguf package cannot decode tensors of type I32"), (77, "a tensor of type 77")):
        struct.pack_into("<I", data, at, kind)
        odd.write_bytes(data)
        assert words in line_of(load_config, source(odd))


def test_a_missing_weight_is_named_and_never_made_up(pair: tuple[Path, Path], tmp_path: Path) -> None:
    lacking = tmp_path / "lacking.gguf"
    save_gguf(lacking, pair[0], lacking="blk.1.ffn_up.weight")
    assert "its weights lack model.layers.1.mlp.up_proj.weight" in line_of(load_model, source(lacking))


@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_a_missing_package_is_said_with_its_extra(file: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: find(name, *rest) if name != package else None)
    for load in (load_config, load_tokenizer, load_model, fingerprint, dtype_name):
        with pytest.raises(MissingExtraError) as error:
            load(source(file))
        assert str(error.value) == (
            f"the GGUF file {file} needs {package}, which is not installed; run: pip install 'elusive[gguf]'"
        )


def test_quantisation_on_top_and_encoders_are_refused(file: Path) -> None:
    with pytest.raises(OptionError, match="--quantize nf4 cannot be applied to a GGUF file; leave it out"):
        load_config(source(file, quantize="nf4"))
    assert "an encoder cannot be loaded from a GGUF file" in line_of(load_encoder, source(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none.gguf"), "none.gguf", "folder/none.gguf"):
        assert line_of(load_config, ModelSource(name=name)).startswith(f"{name}: no such file; a file of the Hub is")
    message = line_of(load_config, ModelSource(name="user/repo/none.gguf"))
    assert message == "user/repo/none.gguf: no such file, and the Hub cannot be reached"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("user/repo/model.gguf", HubFile("user/repo", "model.gguf")),
        ("user/repo/Q4/model.gguf", HubFile("user/repo", "Q4/model.gguf")),
        ("user/model.gguf", None),
        ("./user/repo/model.gguf", None),
        ("/user/repo/model.gguf", None),
        ("~/user/repo/model.gguf", None),
        ("user/repo/model", None),
    ],
)
def test_which_names_are_of_the_hub(name: str, place: HubFile | None) -> None:
    assert on_the_hub(name) == place


@pytest.mark.parametrize("inner", ["model.gguf", "Q8/model.gguf"])
def test_a_file_on_the_hub_is_loaded_from_its_cache_and_known_by_its_commit(
    file: Path, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    repo = tmp_path / "hub" / f"models--user--{inner.count('/')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(COMMIT)
    cached = repo / "snapshots" / COMMIT / inner
    cached.parent.mkdir(parents=True)
    shutil.copy(file, cached)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    name = f"user/{inner.count('/')}/{inner}"
    for revision in (None, "main", COMMIT):
        found = ModelSource(name=name, revision=revision)
        assert fingerprint(found) == f"hub:{name}@{COMMIT}"
        assert context_len(load_config(found)) == 128
    assert load_tokenizer(found).is_fast
    expected = load_model(source(pair[0])).get_input_embeddings().weight
    assert torch.equal(load_model(found).get_input_embeddings().weight, expected)
    card = augment_card(
        AugmentConfig(large=name),
        result={
            "texts": 1, "tokens": 1, "rows": 1, "rejected": 0, "unchanged": 0, "alpha": 0.7, "beta": 0.05,
            "drop_rate": {"planned": 0.5, "realised": 0.5}, "prefixes": {},
        },
        models={"large": fingerprint(found), "small": "files:feed"},
        corpus="c0ffee",
        example=("a", [(0, 1)]),
        versions={},
    )  # fmt: skip
    assert f"](https://huggingface.co/user/{inner.count('/')}) at `{COMMIT}`" in card


def test_weights_are_never_left_packed(file: Path) -> None:
    """Packed ones cannot be trained or saved; transformers leaves them so where its `kernels` are installed."""
    assert loading_options(file)["quantization_config"].dequantize
    loaded = load_model(source(file))
    assert not loaded.is_quantized
    assert not hasattr(loaded.config, "quantization_config")


@pytest.mark.parametrize("shown", [True, False])
def test_the_bar_of_the_dequantisation_follows_the_setting_of_transformers(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    monkeypatch.setattr(transformers.utils.logging, "_tqdm_active", shown)
    load_model(source(file))
    assert ("de-quantizing" in capsys.readouterr().err) is shown


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": WORDS[9 * i :]}) + "\n" for i in range(4)), encoding="utf-8")
    return path


def test_augment_writes_the_copies_that_the_folders_give(pair: tuple[Path, Path], texts: Path, tmp_path: Path) -> None:
    others = save_pair(tmp_path / "small", seed=7, layers=1, width=16)
    written = []
    for large, small in zip(pair, others, strict=True):
        out = tmp_path / large.name
        augment(texts, large=str(large), small=str(small), out=out, copies=2, progress=QUIET)
        written.append(contents(out, "data", "clues"))
    assert written[0]
    assert written[0] == written[1]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("lora", [2, 0])
def test_pretrain_ends_with_the_weights_that_the_folder_gives(
    pair: tuple[Path, Path], texts: Path, tmp_path: Path, lora: int
) -> None:
    options = {"steps": 2, "batch_size": 2, "lr": 1e-2, "device": "cpu", "lora": lora, "merge": bool(lora)}
    for path in pair:
        pretrain(texts, model=str(path), out=tmp_path / path.name, progress=QUIET, **options)
    dense, packed = (load_file(tmp_path / path.name / "model/model.safetensors") for path in pair)
    before = load_file(pair[0] / "model.safetensors")
    assert dense.keys() == packed.keys()
    assert all(torch.equal(dense[name], packed[name]) for name in dense)
    assert any(not torch.equal(dense[name], before[name]) for name in before)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "model.gguf" / "model")
    assert torch.equal(again.get_input_embeddings().weight, packed["model.embed_tokens.weight"])


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_on_a_file_is_evaluated_on_it(pair: tuple[Path, Path], texts: Path, tmp_path: Path) -> None:
    pretrain(texts, model=str(pair[1]), out=tmp_path / "out", steps=1, batch_size=1, device="cpu", progress=QUIET)
    adapter = str(tmp_path / "out/adapter")
    for options in ({"model": str(tmp_path / "out")}, {"model": adapter}, {"model": str(pair[1]), "adapter": adapter}):
        found = evaluated_model(build(EvaluateConfig, options))
        assert found is not None
        assert (found.source.name, found.adapter) == (str(pair[1]), adapter)
    other = save_llama(tmp_path / "other", seed=9)
    with pytest.raises(ModelError, match="was trained on"):
        evaluated_model(build(EvaluateConfig, {"model": other, "adapter": adapter}))
