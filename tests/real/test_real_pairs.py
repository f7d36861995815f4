"""`augment` and `compare-models` on pairs of real models, with unlike tokenizers and with one."""

from pathlib import Path

import numpy as np
import pytest

from elusive.jobs.augment import augment
from elusive.jobs.compare_models import compare_models
from elusive.progress import Bars
from tests.files import contents, rows
from tests.real.conftest import HOSTILE, real
from tests.real.stopping import Stopped, Stopping

QUIET = Bars(quiet=True)
QWEN = ("qwen-coder-1.5b", "qwen-coder-0.5b")


def check_copies(out: Path, texts: dict[str, str]) -> None:
    """Copies are their texts without what is said to be dropped, and clues are where they say."""
    data = rows(out)
    assert {row["source_id"] for row in data} == set(texts)
    for row in data:
        text = texts[row["source_id"]]
        spans = row["dropped_spans"] or []
        assert all(0 <= a < b <= len(text) for a, b in spans)
        if row["copy"] == 0:
            assert row["text"] == text
        kept = {i for i in range(len(text)) if not any(a <= i < b for a, b in spans)}
        left = [c for i, c in enumerate(text) if i in kept and not c.isspace()]
        assert [c for c in row["text"] if not c.isspace()] == left
    assert any(row["dropped_spans"] for row in data)
    for clue in rows(out, "clues"):
        assert clue["token"] == texts[clue["source_id"]][clue["start"] : clue["end"]]
        assert 0 <= clue["p_drop"] <= 1
        assert clue["rank"] is None or np.isfinite(clue["score"])


@pytest.fixture(scope="session")
def texts(people: list[dict]) -> dict[str, str]:
    return {row["id"]: row["text"] for row in people[:2]} | {f"hostile-{n}": text for n, text in enumerate(HOSTILE)}


def test_augment_with_unlike_tokenizers_goes_on_where_it_was_stopped(
    smollm: str, gemma: str, corpus: Path, texts: dict[str, str], tmp_path: Path
) -> None:
    options = {"large": gemma, "small": smollm, "preset": "paper", "copies": 3}
    result = augment(corpus, out=tmp_path / "whole", progress=QUIET, **options)
    assert (result.texts, result.rejected) == (len(texts), 0)
    assert result.aligned > 0
    check_copies(tmp_path / "whole", texts)

    with pytest.raises(Stopped):  # the large model is done
        augment(corpus, out=tmp_path / "stopped", progress=Stopping(words=f"loading {smollm}"), **options)
    assert not rows(tmp_path / "stopped")
    watched = Stopping()
    augment(corpus, out=tmp_path / "stopped", progress=watched, **options)
    assert [line for line in watched.said if line.startswith("loading")] == [f"loading {smollm}"]
    assert contents(tmp_path / "stopped", "data", "clues") == contents(tmp_path / "whole", "data", "clues")


@pytest.mark.slow
def test_augment_with_a_family_of_one_tokenizer(corpus: Path, texts: dict[str, str], tmp_path: Path) -> None:
    large, small = map(real, QWEN)
    result = augment(corpus, large=large, small=small, preset="paper", out=tmp_path / "out", copies=1, progress=QUIET)
    assert (result.texts, result.aligned) == (len(texts), 0)
    check_copies(tmp_path / "out", texts)


@pytest.mark.slow
def test_compare_models_tells_a_family_from_strangers(smollm: str, corpus: Path) -> None:
    large, small = map(real, QWEN)
    result = compare_models(corpus, pair=((large, small), (small, smollm)), texts=3, progress=QUIET)
    family, strangers = result.pairs
    assert [pair.error for pair in result.pairs] == [None, None]
    assert (family.same_tokenizer, strangers.same_tokenizer) == (True, False)
    assert (family.aligned, family.silent) == (0, 0)
    assert strangers.aligned is not None
    assert strangers.aligned > 0
    for model in result.models:
        assert model.error is None
        assert model.sink_mass is not None
        assert 0 < model.sink_mass < 1
    for pair in result.pairs:
        assert pair.large_small is not None
        assert pair.large_small.mean is not None
        assert -1 <= pair.large_small.mean <= 1
        assert pair.last_auc is not None


def test_surprisal_needs_one_model_and_its_prefix_is_the_sink(smollm: str, corpus: Path, tmp_path: Path) -> None:
    result = augment(corpus, small=smollm, out=tmp_path / "out", progress=QUIET)
    [choice] = result.prefixes.values()
    assert choice.chosen.sink == pytest.approx(max(one.sink for one in choice.measured), abs=0.05)
    assert choice.chosen.sink > 0.3
    assert all(clue["surprisal_small"] > 0 for clue in rows(tmp_path / "out", "clues"))


def test_a_model_whose_bos_is_no_sink_gets_another_prefix(people: list[dict], tmp_path: Path) -> None:
    """Of Qwen2.5 0.5B the first word would be the sink: with BOS it is found and reported, with auto there is none."""
    small = real(QWEN[1])
    texts = tmp_path / "people.txt"
    texts.write_text(" ".join(people[0]["text"].split()))
    found = {
        prefix: augment(
            texts, small=small, guide="attention:small", prefix=prefix, out=tmp_path / prefix, progress=QUIET
        )
        for prefix in ("auto", "eos")
    }
    assert found["auto"].prefixes["small"].chosen.name == "newline"
    assert found["auto"].displaced_sinks == 0
    assert found["eos"].displaced_sinks >= 1
