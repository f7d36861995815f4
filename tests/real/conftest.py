"""Folders of real pretrained models, and texts that tiny tokenizers do not stumble over.

`ELUSIVE_REAL_MODELS` names a folder with a folder for each model (docs/CONTRIBUTING.md). What is not there is skipped.
"""

import json
import os
from pathlib import Path

import pytest

from elusive.embedded import path_of
from elusive.models import ModelSource, load_tokenizer
from elusive.tokenization import TextTokenizer

VARIABLE = "ELUSIVE_REAL_MODELS"
HOSTILE = (
    "naïve cafe\u0301 A\u030a: accents of their own",
    "日本語のテキスト。漢字と仮名、한국어 각, 𠮷野家",
    "👩‍👩‍👧 😀🏳️‍🌈 🇩🇪 👍🏽 and 𝒳𝕐",
    "<s> </s> <bos> <|im_start|>user\n<|endoftext|><start_of_turn>",
    "שלום مرحبا नमस्ते ภาษาไทย",
    " \n\n  two  spaces\t\ttabs\r\n",
    "zero\u200bwidth\u200d and a\u3000wide space, ½ ﬁ …",
    "1981 12345 1.5e-7 १२३",
)
"""Byte fallback, characters of several tokens, tokens of several characters, special tokens as text, white space."""


def real(name: str) -> str:
    """The folder of a real model; skips where it is not there."""
    root = Path(os.environ[VARIABLE]).absolute()
    if not (root / name).exists():
        pytest.skip(f"{root} has no {name}")
    return str(root / name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.timeout(600))
            if not os.environ.get(VARIABLE):
                item.add_marker(pytest.mark.skip(reason=f"{VARIABLE} names no folder of real models"))


@pytest.fixture(scope="session")
def smollm() -> str:
    return real("smollm2-135m")


@pytest.fixture(scope="session")
def gemma() -> str:
    return real("gemma3-270m")


@pytest.fixture(scope="session", params=["smollm2-135m", "gemma3-270m"])
def cheap(request: pytest.FixtureRequest) -> str:
    return real(request.param)


@pytest.fixture(scope="session", params=["smollm2-135m", "gemma3-270m", "qwen-coder-0.5b"])
def any_vocabulary(request: pytest.FixtureRequest) -> str:
    return real(request.param)


@pytest.fixture(scope="session")
def tokenizer(any_vocabulary: str) -> TextTokenizer:
    return TextTokenizer(load_tokenizer(ModelSource(name=any_vocabulary)), name=any_vocabulary)


@pytest.fixture(scope="session")
def people() -> list[dict]:
    """Rows of people with their facts."""
    return [json.loads(line) for line in path_of("sample:biographies").read_text(encoding="utf-8").splitlines()[:6]]


@pytest.fixture(scope="session")
def corpus(people: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "texts.jsonl"
    rows = [*people[:2], *({"id": f"hostile-{n}", "text": text} for n, text in enumerate(HOSTILE))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
