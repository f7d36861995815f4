"""What ranks the tokens of a corpus, through the whole job: guides, presets, row weights, lift, and the prefix."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import elusive
from elusive.choices import Guide
from elusive.clues.guides import parts_of
from elusive.clues.scoring import Scorer, ScoringOptions
from elusive.clues.writing import PartWriter
from elusive.data.texts import Text
from elusive.jobs.augment import augment
from elusive.models import ModelSource
from elusive.progress import Bars
from tests.augment_fixtures import Run
from tests.files import contents, rows
from tests.tiny import WORDS


def one_text(folder: Path, text: str) -> Path:
    path = folder / "one.jsonl"
    path.write_text(json.dumps({"text": text}))
    return path


GUIDES = get_args(Guide)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_guide_ranks_by_the_score_that_the_clues_show(run: Run, tmp_path: Path, guide: str) -> None:
    run(guide=guide, copies=0, alpha=0.5)
    by_text: dict[str, list[dict]] = {}
    for clue in rows(tmp_path / "out", "clues"):
        by_text.setdefault(clue["source_id"], []).append(clue)
    for clues in by_text.values():
        units: dict[int, list[float]] = {}
        for c in clues:
            if c["score"] is not None:
                units.setdefault(c["unit"], []).append(c["score"])
        if guide == "random":
            assert not units
            assert all(c["rank"] is None for c in clues)
            continue
        order = sorted(units, key=lambda u: -np.mean(np.float64(units[u])))
        assert {c["unit"]: c["rank"] for c in clues if c["rank"] is not None} == {u: r for r, u in enumerate(order)}


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_computes_and_writes_what_it_is_made_of_and_nothing_else(run: Run, tmp_path: Path, guide: str) -> None:
    result = run(guide=guide, copies=0)
    first = rows(tmp_path / "out", "clues")[0]
    needed = {f"{part.field}_{part.role}" for part in parts_of(guide)}
    columns = {"received_large", "received_small", "surprisal_large", "surprisal_small", "entropy_small"}
    with_predictions = {"surprisal_small", "entropy_small"}  # one pass gives both
    expected = needed | (with_predictions if needed & with_predictions else set())
    assert {name for name in columns if first[name] is not None} == expected
    stages = {stage for stage in result.seconds if stage.startswith(("score", "predict"))}
    does = {"received": "score", "surprisal": "predict", "entropy": "predict"}
    assert stages == {f"{does[part.field]} {part.role}" for part in parts_of(guide)}
    assert result.prefixes.keys() == {part.role for part in parts_of(guide)}


def test_a_guide_of_one_model_needs_no_second_and_says_that_it_is_not_used(
    run: Run, large: str, small: str, tmp_path: Path
) -> None:
    class Said(Bars):
        def say(self, message: str) -> None:
            said.append(message)

    said: list[str] = []
    one = augment(one_text(tmp_path, WORDS), small=small, out=tmp_path / "alone", progress=Said(quiet=True))
    assert not [message for message in said if "does not use" in message]
    two = augment(one_text(tmp_path, WORDS), small=small, large=large, out=tmp_path / "two", progress=Said(quiet=True))
    assert any(f"does not use --large {large}" in message for message in said)
    assert one.rows == two.rows == 1
    assert contents(tmp_path / "alone", "data", "clues") == contents(tmp_path / "two", "data", "clues")
    with pytest.raises(
        elusive.ElusiveError, match=r"guide contrast compares two models; give --large.*surprisal:small"
    ):
        augment(one_text(tmp_path, WORDS), small=small, guide="contrast", out=tmp_path / "three")


def test_without_copies_the_texts_are_written_and_epochs_drawn_from_the_clues(run: Run, tmp_path: Path) -> None:
    result = run(preset=None)
    assert result.rows == result.texts
    assert result.drop_rate["realised"] is None
    written = rows(tmp_path / "out")
    run("copies", preset=None, copies=2, scores=str(tmp_path / "out" / "scores"))
    dropout = elusive.ClueDropout.from_folder(tmp_path / "out", originals_every=None)
    for copy in (1, 2):
        drawn = {r["source_id"]: dropout.draw(r["text"], r["source_id"], epoch=copy) for r in written}
        assert drawn == {r["source_id"]: r["text"] for r in rows(tmp_path / "copies") if r["copy"] == copy}


def test_nothing_to_write_is_refused(run: Run) -> None:
    with pytest.raises(elusive.ElusiveError, match="--no-originals leaves nothing to write without copies"):
        run(preset=None, originals=False)


def test_a_preset_gives_defaults_that_options_overrule(run: Run, tmp_path: Path) -> None:
    run(copies=1, limit=2)
    recorded = json.loads((tmp_path / "out" / "run.json").read_text())["options"]
    assert (recorded["guide"], recorded["alpha"], recorded["beta"], recorded["copies"]) == ("contrast", 0.7, 0.05, 1)


@pytest.mark.parametrize("weighting", ["surprisal", "gap"])
def test_rows_are_weighted_by_what_they_predict(
    run: Run, large: str, small: str, tmp_path: Path, weighting: str
) -> None:
    """Through the whole job: the large model's score by the small one's surprisal of the token after each row."""
    corpus = one_text(tmp_path, WORDS)
    run(corpus=corpus, guide="attention:large", copies=0, row_weights=weighting)
    run("predicted", corpus=corpus, guide="surprisal:difference", copies=0)
    of_small, of_large = (
        np.array([c[f"surprisal_{role}"] for c in rows(tmp_path / "predicted", "clues")]) for role in ("small", "large")
    )
    next_token = of_small if weighting == "surprisal" else np.maximum(of_small - of_large, 0)
    weights = np.append(next_token[1:], 0).astype(np.float32)
    side = Scorer(ModelSource(name=large), ScoringOptions(window=64), tmp_path / "other", Bars(quiet=True))
    [tokens] = side.tokenize([Text(id="t", text=WORDS)])
    with side.loaded("attention") as model:
        side.settle_prefix(model, keep=False)
        with side.probe(model) as probe:
            [scores] = side.score(probe, [tokens], row_weights=[weights])
            [plain] = side.score(probe, [tokens])
    found = np.array([c["received_large"] for c in rows(tmp_path / "out", "clues")], dtype=np.float32)
    np.testing.assert_allclose(found, scores.received, atol=1e-6)
    assert np.nanmax(np.abs(scores.received - plain.received)) > 1e-3


def test_row_weights_without_attention_are_refused(run: Run) -> None:
    with pytest.raises(elusive.ElusiveError, match="rows of attention, and the guide surprisal:small uses none"):
        run(guide="surprisal:small", row_weights="gap")


def test_lift_is_the_same_for_any_number_of_workers_and_after_a_stop(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"lift": True, "copies": 1, "contrast": "geometric"}
    run("one", **options)
    run("two", workers=2, **options)

    def stopped(*_args: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PartWriter, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            run("three", **options)
    run("three", **options)
    for other in ("two", "three"):
        assert contents(tmp_path / other, "data", "clues") == contents(tmp_path / "one", "data", "clues")
    run("plain", copies=1, contrast="geometric")
    assert contents(tmp_path / "plain", "clues") != contents(tmp_path / "one", "clues")


def test_the_prefix_is_measured_once_and_part_of_what_scores_are_found_by(run: Run, large: str, tmp_path: Path) -> None:
    scores = tmp_path / "scores"
    first = run("first", scores=str(scores))
    assert len(list(scores.glob("prefix-*.json"))) == 2
    names = [one.name for one in first.prefixes["large"].measured]
    assert first.prefixes["large"].chosen.name in names
    assert len(names) >= 2
    again = run("again", scores=str(scores), copies=1)
    assert again.prefixes == first.prefixes
    other = next(name for name in ("newline", "eos", "bos") if name != first.prefixes["large"].chosen.name)
    run("other", scores=str(scores), prefix=other)
    assert contents(tmp_path / "other", "clues") != contents(tmp_path / "first", "clues")
