"""Adapters, models and retrievers go to the Hub as such, with a card of their kind, and nothing else does."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from elusive.data.cards import split_card
from elusive.data.run_folder import open_run
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError, HubError
from elusive.hub.change import Pushed
from elusive.hub.pushing import plan_push_by, push_by, repo_type_of
from elusive.jobs.pretrain import pretrain
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.retrieval.encoder import load_encoder
from elusive.retrieval.encoder_options import EncoderOptions
from tests.hub.folders import REPO, Said, client
from tests.hub.server import Hub, Repo

QUIET = Bars(quiet=True)
RATE = {"start": 0.5, "best": 0.75, "end": 0.7, "gain": 0.25, "ci": [0.1, 0.4]}


def pushed(hub: Hub, folder: Path) -> Pushed:
    return push_by(client(hub, Said()), folder, private=False)


def there(hub: Hub) -> dict[str, bytes]:
    return {name: blob.content for name, blob in hub.repos[REPO].files.items() if name != ".gitattributes"}


def card_of(hub: Hub) -> tuple[dict[str, Any], str]:
    card = split_card(there(hub)["README.md"].decode())
    return yaml.safe_load(card.header), card.body


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pretrainings of one step: with an adapter, of all weights, and with an adapter that was merged."""
    folder = tmp_path_factory.mktemp("pretrained")
    kinds = {"adapter": {"lora": 2}, "model": {"lora": 0}, "merged": {"lora": 2, "merge": True}}
    for name, options in kinds.items():
        pretrain(model="tiny:small", out=folder / name, steps=1, limit=8, device="cpu", progress=QUIET, **options)
    return {name: folder / name for name in kinds}


@pytest.fixture
def made(trained: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    return {name: Path(shutil.copytree(folder, tmp_path / name)) for name, folder in trained.items()}


def write_distilled(folder: Path, *, retriever: str = "you/encoder", towers: str = "as-saved", **result: Any) -> Path:
    """The folder of a finished distillation, as its run leaves it, with `tiny:encoder` as what was trained."""
    options = {"retriever": retriever, "retriever_fingerprints": ["a", "b"], "teacher": "attention", "passages": "/me"}
    with open_run(folder, options, products=("retriever/*",)) as run:
        encoder = load_encoder(ModelSource(name="tiny:encoder"), options=EncoderOptions(towers=towers))
        encoder.save(folder / "retriever")
        (run.work / "parts").mkdir()
        files = sorted(file for file in (folder / "retriever").rglob("*") if file.is_file())
        write_sealed(run.work / "parts" / "models.json", {}, files=files)
        (folder / "metrics.jsonl").write_text("/home/me")
        found = {"hr": {"5": RATE}, "test": {"5": RATE}, "steps": 9, "best_step": 6, "train": 20, "dev": 10, **result}
        run.finish({"result": found, "versions": {"elusive": "0.1.0"}})
    return folder


# -- what a pretraining makes ----------------------------------------------------------------------------------------


def test_an_adapter_is_pushed_with_a_card_of_peft(hub: Hub, made: dict[str, Path]) -> None:
    result = pushed(hub, made["adapter"])
    assert there(hub).keys() == {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    assert (hub.repos[REPO].type, result.what, result.url) == ("model", "adapter", f"{hub.url}/{REPO}")
    assert result.load_with == f'peft.PeftModel.from_pretrained(base, "{REPO}")'
    fields, body = card_of(hub)
    assert fields == {"library_name": "peft", "pipeline_tag": "text-generation", "tags": ["elusive", "lora"]}
    assert "# clues" in body
    assert "A LoRA adapter of rank 2 on `tiny:small`" in body
    assert f'PeftModel.from_pretrained(base, "{REPO}")' in body
    assert "| training | 1 steps" in body
    assert hub.repos[REPO].commits[-1][1].startswith("adapter after 1 steps (elusive ")


@pytest.mark.parametrize("name", ["model", "merged/model"])
def test_a_model_is_pushed_and_loads(hub: Hub, made: dict[str, Path], tmp_path: Path, name: str) -> None:
    from transformers import AutoModelForCausalLM

    result = pushed(hub, tmp_path / name)
    fields, body = card_of(hub)
    assert (fields["library_name"], result.what) == ("transformers", "model")
    assert ("with its LoRA adapter merged in" in body) == (name == "merged/model")
    for file, content in there(hub).items():
        (tmp_path / "loaded" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "loaded" / file).write_bytes(content)
    AutoModelForCausalLM.from_pretrained(tmp_path / "loaded")


def test_of_an_adapter_and_a_merged_model_one_is_to_be_named(hub: Hub, made: dict[str, Path]) -> None:
    both = made["merged"]
    with pytest.raises(FolderError, match=f"name one of them: {both}/adapter or {both}/model"):
        pushed(hub, both)
    assert pushed(hub, both / "adapter").what == "adapter"
    assert hub.repos.keys() == {REPO}


def test_nothing_of_this_machine_is_pushed(hub: Hub, made: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "secret" / "base"
    shutil.copytree(made["model"] / "model", base)
    pretrain(model=str(base), out=tmp_path / "local", steps=1, limit=8, lora=2, device="cpu", progress=QUIET)
    pushed(hub, tmp_path / "local")
    assert json.loads(there(hub)["adapter_config.json"])["base_model_name_or_path"] == "base"
    assert not [name for name, content in there(hub).items() if str(tmp_path).encode() in content]
    assert "on `base`" in card_of(hub)[1]
    hub.calls.clear()
    assert pushed(hub, tmp_path / "local").upload == {}
    assert set(hub.kinds()) == {"info", "resolve"}


def test_a_base_of_the_hub_is_named_for_its_page(hub: Hub, made: dict[str, Path]) -> None:
    run = read_sealed(made["adapter"] / "run.json")
    run["options"] |= {"model": "you/base", "model_fingerprint": "hub:you/base@0123"}
    write_sealed(made["adapter"] / "run.json", run)
    pushed(hub, made["adapter"])
    fields, body = card_of(hub)
    assert fields["base_model"] == "you/base"
    assert "[you/base](https://huggingface.co/you/base)" in body


def test_a_file_that_was_changed_since_is_not_pushed(hub: Hub, made: dict[str, Path]) -> None:
    with (made["model"] / "model" / "config.json").open("a") as stream:
        stream.write(" ")
    with pytest.raises(FolderError, match=r"model/config\.json was removed or changed since"):
        pushed(hub, made["model"])
    assert hub.repos == {}


def test_an_unfinished_pretraining_tells_its_own_command(hub: Hub, tmp_path: Path) -> None:
    options = {"data": "docs.jsonl", "model": "you/base", "model_fingerprint": "x", "lora": 16}
    with open_run(tmp_path / "out", options, products=()):
        pass
    with pytest.raises(FolderError, match=r"elusive pretrain docs\.jsonl --model you/base --out \S+ and its other"):
        pushed(hub, tmp_path / "out")


# -- retrievers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["out", "out/retriever"])
def test_a_retriever_is_pushed_with_a_card_of_sentence_transformers(hub: Hub, tmp_path: Path, named: str) -> None:
    from sentence_transformers import SentenceTransformer

    write_distilled(tmp_path / "out")
    result = pushed(hub, tmp_path / named)
    assert {"modules.json", "1_Pooling/config.json", "model.safetensors", "README.md"} <= there(hub).keys()
    assert not {name for name in there(hub) if name.startswith(("metrics", "run", "retriever"))}
    fields, body = card_of(hub)
    assert fields == {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["elusive", "sentence-transformers", "feature-extraction", "retrieval"],
        "base_model": "you/encoder",
    }
    assert "| dev HR@5 | 0.500 before, 0.750 after |" in body
    assert "| test HR@5 | 0.500 before, 0.750 after |" in body
    assert (result.what, result.load_with) == ("retriever", f'sentence_transformers.SentenceTransformer("{REPO}")')
    for name, content in there(hub).items():
        (tmp_path / "loaded" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "loaded" / name).write_bytes(content)
    loaded, code = str(tmp_path / "loaded"), body.split("```python\n")[1].split("```")[0]
    exec(code.replace(REPO, loaded).replace('")', '", device="cpu")', 1), found := {})
    assert found["scores"].shape == (1, 1)
    assert SentenceTransformer(loaded, device="cpu").similarity_fn_name in ("dot", "cosine")


def test_two_towers_are_pushed_side_by_side(hub: Hub, tmp_path: Path) -> None:
    pushed(hub, write_distilled(tmp_path / "out", retriever="/home/me/encoder", towers="separate"))
    assert {"query/modules.json", "passage/modules.json"} <= there(hub).keys()
    fields, body = card_of(hub)
    assert "base_model" not in fields
    assert "trained from `encoder`" in body
    assert 'SentenceTransformer(f"{folder}/query")' in body


def test_a_retriever_away_from_its_run_is_known_by_its_settings(hub: Hub, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    load_encoder(ModelSource(name="tiny:encoder")).save(moved)
    before = sorted(file.name for file in moved.iterdir())
    assert pushed(hub, moved).what == "retriever"
    assert sorted(file.name for file in moved.iterdir()) == before
    assert "A dense retriever. A passage with a title" in card_of(hub)[1]


def test_a_card_that_somebody_wrote_is_pushed_as_it_is(hub: Hub, tmp_path: Path) -> None:
    out = write_distilled(tmp_path / "out")
    (out / "retriever" / "README.md").write_text("---\nlibrary_name: sentence-transformers\n---\n# Mine\n")
    pushed(hub, out)
    assert card_of(hub)[1].strip() == "# Mine"


def test_another_push_renews_what_is_ours_and_leaves_the_rest(hub: Hub, made: dict[str, Path], tmp_path: Path) -> None:
    pushed(hub, made["model"])
    card = there(hub)["README.md"].decode().replace("tags:", "license: mit\ntags:") + "\nMy words.\n"
    hub.repos[REPO].put(README__md=card, notes__txt="mine")
    result = pushed(hub, write_distilled(tmp_path / "out"))
    now, body = card_of(hub)
    assert (now["library_name"], now["license"]) == ("sentence-transformers", "mit")
    assert "A dense retriever" in body
    assert body.rstrip().endswith("My words.")
    assert there(hub)["notes.txt"] == b"mine"
    assert result.delete == ()
    smaller = pushed(hub, made["model"])
    assert set(smaller.delete) == {"1_Pooling/config.json"} | {n for n in result.upload if n.startswith("2_")}


def test_a_model_of_somebody_else_is_not_overwritten(hub: Hub, made: dict[str, Path]) -> None:
    from tests.hub.server import Blob

    repo = hub.repos[REPO] = Repo(type="model")
    repo.add("theirs", {"pytorch_model.bin": Blob(b"theirs", lfs=True)})
    words = r"holds pytorch_model\.bin, and no card there says that elusive made it; name another model, or add"
    with pytest.raises(HubError, match=words):
        pushed(hub, made["adapter"])
    assert len(repo.commits) == 1


def test_a_plan_says_what_it_is_and_reads_only(hub: Hub, made: dict[str, Path]) -> None:
    plan = plan_push_by(client(hub, Said()), made["adapter"], private=False)
    assert (plan.what, plan.creates, hub.kinds()) == ("adapter", True, ["info"])
    assert repo_type_of(made["adapter"]) == "model"


# -- what is not pushed ----------------------------------------------------------------------------------------------


OTHERS = {
    "index": ({"encoder_fingerprint": "x"}, "is a folder of elusive index, which makes nothing for the Hub"),
    "evaluate": ({"retriever_fingerprint": None}, "is a folder of elusive evaluate, which makes nothing for"),
    "score-reader": ({"keys": {}, "reader": []}, "is a folder of elusive score-reader, which makes nothing"),
    "compare-arms": ({"evaluations": {}}, "is a folder of elusive compare-arms, which makes nothing for the"),
    "distill": ({"retriever_fingerprints": []}, "is a folder of elusive distill, and its run made no retriever"),
}


@pytest.mark.parametrize("job", OTHERS)
def test_folders_of_other_jobs_are_refused_by_what_they_are(hub: Hub, tmp_path: Path, job: str) -> None:
    options, words = OTHERS[job]
    with open_run(tmp_path / "out", options, products=()) as run:
        run.finish({"result": {}, "versions": {"elusive": "0.1.0"}})
    with pytest.raises(FolderError, match=words) as refused:
        pushed(hub, tmp_path / "out")
    assert "--overwrite" not in str(refused.value)
    assert hub.calls == []


def test_models_that_no_run_vouches_for_are_refused_by_what_they_are(
    hub: Hub, made: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(made["adapter"] / "adapter", tmp_path / "moved" / "adapter")
    shutil.copytree(made["model"] / "model", tmp_path / "moved" / "model")
    for name, words in (("adapter", "is an adapter, and no run.json"), ("model", "is a model, and no run.json")):
        with pytest.raises(FolderError, match=words):
            pushed(hub, tmp_path / "moved" / name)
    (made["adapter"] / "reader").mkdir()
    with pytest.raises(FolderError, match="lies in a folder of elusive pretrain and is none of its models"):
        pushed(hub, made["adapter"] / "reader")


def test_the_client_of_a_dataset_pushes_a_model_as_a_model(hub: Hub, made: dict[str, Path]) -> None:
    push_by(replace(client(hub, Said()), repo_type="dataset"), made["adapter"], private=True)
    assert (hub.repos[REPO].type, hub.repos[REPO].private) == ("model", True)
