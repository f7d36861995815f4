"""Makes what the package ships for trying things out: two tiny models, their tokenizer and a sample corpus.

    python recipes/tiny_family/make.py [--out elusive/embedded] [--seed 0] [--gate-only]

One thread; minutes (see README.md). Writes `tiny-large/`, `tiny-small/` and `biographies.jsonl` under --out and
the gate's figures to --gate-file; exits with 1 where a condition of the gate fails.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import gate
import invented_names
import torch
from biographies import FIELDS, Person, World, ask, draw_people, write_text
from byte_bpe import build_tokenizer, count_words
from training import CONTEXT, LARGE, SMALL, Recipe, TrainingSet, train
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

HERE: Final = Path(__file__).resolve().parent
N_TRAINED, N_QUESTIONED, N_SAMPLED = 600, 480, 60
VOCAB_SIZE: Final = 2560
FOLDERS: Final = {"large": ("tiny-large", LARGE), "small": ("tiny-small", SMALL)}


@dataclass(frozen=True)
class Cast:
    """The people of one seed: those trained on, and those only the sample corpus tells of."""

    trained: TrainingSet
    sampled: list[Person]

    @classmethod
    def draw(cls, seed: int) -> "Cast":
        """Both lots from one world and one vocabulary; no name or birth date occurs twice."""
        rng = random.Random(seed)
        people = draw_people(World.draw(rng), N_TRAINED + N_SAMPLED, rng)
        return cls(TrainingSet(people[:N_TRAINED], N_QUESTIONED), people[N_TRAINED:])


def make_tokenizer(cast: Cast, seed: int) -> PreTrainedTokenizerFast:
    """A BPE learnt from texts and questions of the trained people; each name and value weighs enough for a token."""
    rng = random.Random(seed)
    people = cast.trained.people
    weighted = {f" {word}": 1000 for word in invented_names.ALL_WORDS}
    weighted |= {write_text(person, rng): 1 for person in people for _ in range(4)}
    for person in people:
        questions = [ask(person, field, rng) for field in FIELDS]
        weighted |= {f"{question.prompt} {question.answer}\n": 1 for question in questions}
    return build_tokenizer(count_words(weighted), VOCAB_SIZE, context=CONTEXT)


def sample_rows(cast: Cast, seed: int) -> list[dict[str, Any]]:
    """The sample corpus: plain text, with name and facts beside it for closed-book questions later."""
    rng = random.Random(seed)
    return [
        {
            "id": f"person-{index:03d}",
            "text": write_text(person, rng),
            "name": person.name,
            "facts": asdict(person.facts),
        }
        for index, person in enumerate(cast.sampled)
    ]


def train_and_save(out: Path, cast: Cast, seed: int) -> dict[str, float]:
    """Trains both models, writes all files, and returns the seconds each model took."""
    tokenizer = make_tokenizer(cast, seed)
    rows = sample_rows(cast, seed)
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out / "biographies.jsonl").write_text(lines, encoding="utf-8")
    seconds = {}
    for size, (folder, recipe) in FOLDERS.items():
        start = time.perf_counter()
        model = train(recipe, cast.trained, tokenizer, seed=seed, watch=lambda m: _watch(m, tokenizer, cast))
        seconds[size] = round(time.perf_counter() - start)
        model.save_pretrained(out / folder)
        tokenizer.save_pretrained(out / folder)
        (out / folder / "model.safetensors").chmod(0o644)  # the hub writes it for its owner alone
    return seconds


def _watch(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, cast: Cast) -> str:
    shares = gate.exact_match(model, tokenizer, cast.trained.unquestioned[:30])
    return f"exact match on 30 people {shares['all']:.2f}"


def judge(out: Path, cast: Cast) -> dict[str, Any]:
    """The gate on the files as they were written."""
    large, small = (AutoModelForCausalLM.from_pretrained(out / folder).eval() for folder, _ in FOLDERS.values())
    tokenizer = AutoTokenizer.from_pretrained(out / FOLDERS["large"][0])
    people = cast.trained.unquestioned
    em_large, em_small = (gate.exact_match(model, tokenizer, people) for model in (large, small))
    lines = (out / "biographies.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    samples = [gate.SampleText(row["text"], row["name"], list(row["facts"].values())) for row in rows]
    area = gate.all_areas(samples, large, small, tokenizer)
    return {
        "passed": gate.verdict(em_large, em_small, area),
        "exact_match": {"large": em_large, "small": em_small},
        "people_asked_about": len(people),
        "area_under_roc": area,
        "sample_texts": len(samples),
        "mean_tokens": sum(len(tokenizer(row["text"]).input_ids) for row in rows) / len(rows),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def _recipe_facts(recipe: Recipe, seconds: int | None) -> dict[str, Any]:
    return asdict(recipe) | ({} if seconds is None else {"seconds": seconds})


def main() -> int:
    """Runs the whole recipe, or with --gate-only the gate alone on what lies there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "elusive" / "embedded")
    parser.add_argument("--gate-file", type=Path, default=HERE / "gate.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gate-only", action="store_true", help="train nothing: measure what lies in --out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cast = Cast.draw(arguments.seed)
    seconds = {} if arguments.gate_only else train_and_save(arguments.out, cast, arguments.seed)
    figures = {"seed": arguments.seed, **_rounded(judge(arguments.out, cast))}
    figures["recipes"] = {size: _recipe_facts(recipe, seconds.get(size)) for size, (_, recipe) in FOLDERS.items()}
    arguments.gate_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures["passed"], indent=2))
    return 0 if all(figures["passed"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
