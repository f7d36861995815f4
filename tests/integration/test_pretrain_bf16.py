"""Training in mixed precision is measured in full precision, as an evaluation is."""

import subprocess
import sys
from pathlib import Path

from tests.distill_fixtures import write_lines
from tests.tiny import WORDS, save_llama
from tests.unit.evaluation.exams import PEOPLE

# In a process of its own: accelerate knows one precision a process.
SCRIPT = """
import sys
from elusive.jobs.evaluate import evaluate
from elusive.jobs.pretrain import pretrain
base, people, texts, out, judged = sys.argv[1:]
asked = {"shots": 1, "max_new_tokens": 32, "device": "cpu"}
how = {"bf16": True, "lora": 0, "steps": 3, "batch_size": 4, "lr": 1e-2}
pretrain(texts, model=base, out=out, evaluate=people, **how, **asked)
evaluate(out, questions=people, out=judged, **asked)
"""


def test_a_model_in_mixed_precision_is_measured_without(tmp_path: Path) -> None:
    base = save_llama(tmp_path / "base", seed=1, context=512)
    people = write_lines(tmp_path / "people.jsonl", PEOPLE)
    texts = write_lines(tmp_path / "texts.jsonl", [{"text": WORDS[3 * i :]} for i in range(11)])
    command = [sys.executable, "-c", SCRIPT, base, people, texts, tmp_path / "out", tmp_path / "judged"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = tmp_path / "out" / "curve" / "answers-000003.jsonl"
    assert measured.read_bytes() == (tmp_path / "judged" / "answers.jsonl").read_bytes()
