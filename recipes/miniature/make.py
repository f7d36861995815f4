"""Makes the miniature: a knowledge base, questions, two tiny readers and a tiny encoder, which the package ships.

    python recipes/miniature/make.py [STEP ...] [--out elusive/embedded] [--gate-file FILE] [--seed 0]

Steps, all of them in this order unless named: `passages`, `encoder`, `questions` (with what the encoder retrieves),
`readers`, `gate`. Minutes on one thread (see README.md). Exits with 1 where a condition of the gate fails on dev.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import encoder
import gate
import reader
import torch
import word_tokenizers
from safetensors.torch import load_file, save_file
from towns import KnowledgeBase
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

HERE: Final = Path(__file__).resolve().parent
ENCODER, UNTUNED, TUNED = "tiny-encoder", "tiny-reader-untuned", "tiny-reader"
SPLITS: Final = ("train", "dev", "test")

SENTENCE_TRANSFORMERS: Final[Mapping[str, Any]] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ],
    "1_Pooling/config.json": {"word_embedding_dimension": encoder.ENCODER.width, "pooling_mode_mean_tokens": True},
    "sentence_bert_config.json": {"max_seq_length": encoder.CONTEXT, "do_lower_case": False},
    "config_sentence_transformers.json": {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "dot"},
}
"""What SentenceTransformer(folder) reads beside the model."""


@dataclass(frozen=True)
class Kitchen:
    """Where everything goes, and what it is drawn from."""

    out: Path
    gate_file: Path
    seed: int

    @property
    def base(self) -> KnowledgeBase:
        """Passages and questions, drawn anew."""
        return KnowledgeBase.draw(self.seed)

    @property
    def data(self) -> Path:
        """The folder of the data files."""
        return self.out / "miniature"


def make_passages(kitchen: Kitchen) -> None:
    """The knowledge base."""
    write_rows(kitchen.data / "passages.jsonl", kitchen.base.passage_rows())


def make_encoder(kitchen: Kitchen) -> None:
    """The encoder after its warm-up on the knowledge base's articles."""
    tokenizer = word_tokenizers.encoder_tokenizer(encoder.CONTEXT)
    model = encoder.train(encoder.ENCODER, kitchen.base.articles, tokenizer, seed=kitchen.seed)
    save(kitchen.out / ENCODER, model, tokenizer)
    for name, content in SENTENCE_TRANSFORMERS.items():
        write_json(kitchen.out / ENCODER / name, content)


def make_questions(kitchen: Kitchen) -> None:
    """The questions of all splits, each with the five passages that the shipped encoder puts first."""
    base, folder = kitchen.base, kitchen.out / ENCODER
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for split in SPLITS:
        asked = [question.question for question in base.questions[split]]
        found = encoder.search(model, tokenizer, asked, base.passages)
        write_rows(kitchen.data / f"{split}.jsonl", base.question_rows(split, found))


def make_readers(kitchen: Kitchen) -> None:
    """The reader before and after tuning."""
    tokenizer = word_tokenizers.reader_tokenizer(reader.CONTEXT)
    model = reader.train_untuned(reader.READER, tokenizer, seed=kitchen.seed)
    save(kitchen.out / UNTUNED, model, tokenizer)
    reader.tune(model, reader.READER, tokenizer, seed=kitchen.seed)
    save(kitchen.out / TUNED, model, tokenizer)


def measure(kitchen: Kitchen) -> None:
    """The gate's figures on the files as they were written; decided on dev, reported on test."""
    readers = {
        name: AutoModelForCausalLM.from_pretrained(kitchen.out / folder, attn_implementation="eager").eval()
        for name, folder in (("untuned reader", UNTUNED), ("tuned reader", TUNED))
    }
    tokenizer = AutoTokenizer.from_pretrained(kitchen.out / TUNED)
    figures: dict[str, Any] = {"seed": kitchen.seed}
    for split in ("dev", "test"):
        rows = read_rows(kitchen.data / f"{split}.jsonl")
        measured = {name: gate.measure(model, tokenizer, rows) for name, model in readers.items()}
        figures[split] = {"questions": len(rows), "encoder": gate.retrieval(rows), **measured}
    passed = {split: gate.verdict(figures[split]) for split in ("dev", "test")}
    recipes = {"encoder": asdict(encoder.ENCODER), "readers": asdict(reader.READER)}
    write_json(kitchen.gate_file, _rounded(figures | {"passed": passed, "recipes": recipes}))
    print(json.dumps(passed["dev"], indent=2, ensure_ascii=False))
    if not all(passed["dev"].values()):
        sys.exit(1)


STEPS: Final[Mapping[str, Callable[[Kitchen], None]]] = {
    "passages": make_passages,
    "encoder": make_encoder,
    "questions": make_questions,
    "readers": make_readers,
    "gate": measure,
}


def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Model and tokenizer in the ordinary layout; weights kept as float16, and loaded as the float32 of the config."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = folder / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    weights.chmod(0o644)  # the hub writes it for its owner alone


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """What `write_rows` wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_json(path: Path, content: Any) -> None:
    """One value, for people to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    """Takes the steps that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", choices=[*STEPS, []], help=", ".join(STEPS))
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "elusive" / "embedded")
    parser.add_argument("--gate-file", type=Path, default=HERE / "gate.json")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kitchen = Kitchen(arguments.out, arguments.gate_file, arguments.seed)
    for step in arguments.steps or STEPS:
        start = time.process_time()
        STEPS[step](kitchen)
        print(f"{step}: {time.process_time() - start:.0f} CPU seconds", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
