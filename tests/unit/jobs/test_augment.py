"""`augment` from end to end: what is written, and that another way to the same run writes the same."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from safetensors.torch import load_file, save_file
from tokenizers import normalizers

import elusive
from elusive.config import AugmentConfig
from elusive.jobs import augment as job
from elusive.jobs.plan import plan_augment
from elusive.progress import Bars
from tests.augment_fixtures import Run
from tests.files import contents, rows
from tests.tiny import byte_bpe, save_llama


def test_every_text_is_there_once_and_in_ten_copies(run: Run, texts: dict[str, str], tmp_path: Path) -> None:
    result = run()
    written = rows(tmp_path / "out")
    assert result.texts == len(texts)
    assert result.rows == len(written) == 11 * len(texts)
    assert {r["source_id"]: r["text"] for r in written if r["copy"] == 0} == texts
    assert [r["copy"] for r in written] == [*range(11)] * len(texts)


def test_a_copy_is_its_source_less_what_it_says_was_dropped(run: Run, texts: dict[str, str], tmp_path: Path) -> None:
    run()
    for row in rows(tmp_path / "out"):
        source = texts[row["source_id"]]
        gone = {i for start, end in row["dropped_spans"] for i in range(start, end)}
        assert len(row["dropped_spans"]) == row["dropped"]
        left = [c for i, c in enumerate(source) if i not in gone and c != " "]
        assert [c for c in row["text"] if c != " "] == left
        rest = iter(source)
        assert all(c in rest for c in row["text"]), "a subsequence of the source"


def test_clues_are_one_row_a_token_and_say_why_a_unit_may_drop(run: Run, texts: dict[str, str], tmp_path: Path) -> None:
    run()
    by_text: dict[str, list[dict]] = {}
    for clue in rows(tmp_path / "out", "clues"):
        by_text.setdefault(clue["source_id"], []).append(clue)
    assert by_text.keys() == texts.keys()
    for source_id, clues in by_text.items():
        assert [c["position"] for c in clues] == list(range(len(clues)))
        assert all(c["token"] == texts[source_id][c["start"] : c["end"]] for c in clues)
        assert (clues[-1]["rank"], clues[-1]["p_drop"]) == (None, 0), "the last token has no follower"
        for c in clues:
            if c["received_large"] is not None:
                assert c["score"] == pytest.approx(c["received_large"] - c["received_small"], abs=1e-7)
            if c["rank"] is not None and c["p_drop"]:
                assert c["p_drop"] == pytest.approx(0.7 * (1 - math.exp(-0.05 * c["rank"])), rel=1e-5)
            assert c["p_drop"] == 0 or c["token"].strip() not in (",", ".")
        ranks = {c["unit"]: c["rank"] for c in clues if c["rank"] is not None}
        assert sorted(ranks.values()) == list(range(len(ranks)))


def test_the_folder_loads_as_a_dataset_of_copies_and_clues(run: Run, tmp_path: Path) -> None:
    result = run()
    out = str(tmp_path / "out")
    cache = str(tmp_path / "cache")
    assert load_dataset(out, split="train", cache_dir=cache).num_rows == result.rows
    assert load_dataset(out, "clues", split="train", cache_dir=cache).num_rows == result.tokens


@pytest.mark.parametrize("row_format", ["jsonl", "csv"])
def test_other_formats_hold_the_same_rows(run: Run, tmp_path: Path, row_format: str) -> None:
    result = run(format=row_format, copies=2, limit=4)
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    run("parquet", copies=2, limit=4)
    assert loaded["text"] == [r["text"] for r in rows(tmp_path / "parquet")]
    assert result.rows == 12


def test_rejected_rows_are_counted_and_kept_with_their_reasons(run: Run, tmp_path: Path) -> None:
    result = run()
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert result.rejected == len(rejected) == 2
    assert [r["line"] for r in rejected] == [16, 17]
    assert all(r["reason"] for r in rejected)


def test_the_planned_rate_is_the_mean_probability_and_the_realised_one_is_near(run: Run, tmp_path: Path) -> None:
    result = run(copies=40)
    units = {(c["source_id"], c["unit"]): c for c in rows(tmp_path / "out", "clues")}.values()
    # Rank 0 is droppable too, at probability 0; what is protected or unscored is not.
    p = np.array([c["p_drop"] for c in units if c["p_drop"] > 0 or c["rank"] == 0])
    sd = math.sqrt((p * (1 - p)).sum() / len(p) ** 2 / 40)
    assert abs(result.drop_rate["realised"] - p.mean()) < 6 * sd
    assert result.drop_rate["planned"] == pytest.approx(p.mean(), rel=0.02)


def test_the_same_options_in_the_same_folder_find_the_run_done(run: Run, tmp_path: Path) -> None:
    first = run()
    before = {
        name: (tmp_path / "out" / name).stat().st_mtime_ns for name in contents(tmp_path / "out", "data", "clues")
    }
    again = run()
    assert (first.already_done, again.already_done) == (False, True)
    assert again.rows == first.rows
    after = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in before}
    assert after == before


def test_other_options_in_the_same_folder_are_refused_with_the_differences(run: Run) -> None:
    run(copies=2)
    with pytest.raises(elusive.ElusiveError, match=r"copies: 2 there, 3 now.*--overwrite"):
        run(copies=3)
    assert run(copies=3, overwrite=True).rows == 15 * 4


def test_a_changed_corpus_is_noticed(run: Run, corpus: Path, tmp_path: Path) -> None:
    changing = tmp_path / "changing.jsonl"
    changing.write_bytes(corpus.read_bytes())
    run(corpus=changing, copies=1)
    changing.write_text(json.dumps({"id": "new", "text": "Another text."}))
    with pytest.raises(elusive.ElusiveError, match="corpus_files"):
        run(corpus=changing, copies=1)


def test_with_scores_there_no_model_is_loaded(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = tmp_path / "scores"
    run("first", scores=str(scores))
    monkeypatch.setattr("elusive.models.load_model", lambda _source: pytest.fail("a model was loaded"))
    other = run("other", scores=str(scores), alpha=0.3, copies=2, guide="attention:large")
    assert other.drop_rate["planned"] < 0.3


def test_a_damaged_score_is_said_and_computed_again(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    scores = tmp_path / "scores"
    run("first", scores=str(scores))
    part = sorted(scores.rglob("*.safetensors"))[0]
    damaged = bytearray(part.read_bytes())
    damaged[-5] ^= 1
    part.write_bytes(damaged)
    job.augment(
        **{"corpus": _recorded(tmp_path / "first", "corpus"), "large": _recorded(tmp_path / "first", "large")},
        small=_recorded(tmp_path / "first", "small"),
        out=tmp_path / "second",
        scores=str(scores),
    )
    assert "checksum" in capfd.readouterr().err
    assert contents(tmp_path / "second", "data", "clues") == contents(tmp_path / "first", "data", "clues")


def _recorded(folder: Path, option: str) -> str:
    return json.loads((folder / "run.json").read_text())["options"][option]


def test_another_batch_size_and_order_give_the_same_scores_and_nearly_all_rows(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    run("whole", batch_tokens=8192)
    run("single", batch_tokens=1)
    turned = tmp_path / "turned.jsonl"
    turned.write_text("\n".join(reversed(corpus.read_text(encoding="utf-8").splitlines())), encoding="utf-8")
    run("turned", corpus=turned)
    whole, single, reverse = ({(c["source_id"], c["position"]): c for c in rows(tmp_path / n, "clues")}
                              for n in ("whole", "single", "turned"))  # fmt: skip
    for other in (single, reverse):
        for key, clue in whole.items():
            for column in ("received_large", "received_small", "score"):
                assert clue[column] == pytest.approx(other[key][column], abs=1e-6)
    texts = {n: {(r["source_id"], r["copy"]): r["text"] for r in rows(tmp_path / n)} for n in ("whole", "turned")}
    same = [texts["turned"][key] == text for key, text in texts["whole"].items()]
    assert np.mean(same) >= 0.999


def test_seeds_give_other_copies_and_the_same_clues(run: Run, tmp_path: Path) -> None:
    run("a", seed=0)
    run("b", seed=1)
    run("c", seed=0)
    assert contents(tmp_path / "a", "data", "clues") == contents(tmp_path / "c", "data", "clues")
    assert contents(tmp_path / "a", "clues") == contents(tmp_path / "b", "clues")
    assert contents(tmp_path / "a", "data") != contents(tmp_path / "b", "data")


def test_large_and_small_exchanged_turn_the_contrast_round(run: Run, large: str, small: str, tmp_path: Path) -> None:
    run("as-is")
    run("turned", large=small, small=large)
    as_is, turned = (np.array([c["score"] for c in rows(tmp_path / n, "clues")], float) for n in ("as-is", "turned"))
    assert np.nanmax(np.abs(as_is)) > 1e-3
    np.testing.assert_allclose(as_is, -turned, atol=1e-7)


@pytest.mark.parametrize("rank", ["absolute", "relative"])
def test_a_target_rate_is_met(run: Run, rank: str) -> None:
    assert run(target_rate=0.35, rank=rank).drop_rate["planned"] == pytest.approx(0.35, abs=1e-6)


@pytest.mark.parametrize("guide", ["random", "attention:large", "attention:small"])
def test_a_control_drops_as_much_as_the_guide_it_is_matched_to(run: Run, tmp_path: Path, guide: str) -> None:
    scores = str(tmp_path / "scores")
    options = {"scores": scores, "protect": ("digits",), "unit": "word"}
    contrast = run("contrast", **options)
    control = run("control", guide=guide, match_rate="contrast", **options)
    assert control.drop_rate["planned"] == pytest.approx(contrast.drop_rate["planned"], abs=1e-6)


def test_random_dropout_alone_needs_no_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elusive.models.load_model", lambda _source: pytest.fail("a model was loaded"))
    result = run(guide="random", alpha=0.4)
    assert result.drop_rate["planned"] == pytest.approx(0.4)
    assert result.beta is None


def test_what_is_protected_is_in_every_copy(run: Run, tmp_path: Path) -> None:
    run(protect=("digits", "negations", "Mara"), corpus=_one_text(tmp_path, "Mara did not sell 1,974 maps, Tor did."))
    for row in rows(tmp_path / "out"):
        assert all(kept in row["text"] for kept in ("not", "Mara", "1,974"))


def _one_text(folder: Path, text: str) -> Path:
    path = folder / "one.jsonl"
    path.write_text(json.dumps({"text": text}))
    return path


def test_workers_change_nothing(run: Run, tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    many.write_text("\n".join(json.dumps({"text": f"Text {i} of many."}) for i in range(4200)))
    one = run("1/out", corpus=many, copies=1, workers=1)
    run("2/out", corpus=many, copies=1, workers=2)
    first, second = tmp_path / "1" / "out", tmp_path / "2" / "out"
    assert len(contents(first, "data")) > 1, "more than one part, or workers have nothing to share"
    assert contents(first, "data", "clues") == contents(second, "data", "clues")
    for page in ("README.md", "report.html"):
        assert (first / page).read_bytes() == (second / page).read_bytes()
    assert one.texts == 4200


def test_the_plan_counts_what_the_run_writes(run: Run, corpus: Path, large: str, small: str, tmp_path: Path) -> None:
    config = AugmentConfig(corpus=str(corpus), large=large, small=small, preset="paper", out=str(tmp_path / "out"))
    plan = plan_augment(config, progress=Bars(quiet=True))
    assert not (tmp_path / "out").exists()
    result = run()
    assert (plan.texts, plan.rows, plan.rejected) == (result.texts, result.rows, result.rejected)
    assert plan.tokens == pytest.approx(result.tokens, rel=0.2)
    assert [m.texts_to_score for m in plan.models] == [result.texts] * 2
    done = plan_augment(config, progress=Bars(quiet=True))
    assert [m.texts_to_score for m in done.models] == [0, 0]


def test_a_checkpoint_that_lacks_weights_is_refused_and_one_that_lacks_its_head_is_not(
    run: Run, large: str, tmp_path: Path
) -> None:
    def without(part: str) -> str:
        folder = tmp_path / part
        shutil.copytree(large, folder)
        weights = load_file(folder / "model.safetensors")
        kept = {name: weight for name, weight in weights.items() if part not in name}
        assert kept.keys() != weights.keys()
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        return str(folder)

    with pytest.raises(elusive.ElusiveError, match=r"lack model\.layers\.0\.self_attn\.q_proj\.weight and 2 more"):
        run("lacking", large=without("q_proj"))
    run("whole")
    run("headless", large=without("lm_head"))
    assert contents(tmp_path / "headless", "clues") == contents(tmp_path / "whole", "clues")


def test_scores_of_another_dtype_are_not_taken_for_these(run: Run, large: str, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(large, folder)
    weights = {name: w.bfloat16() for name, w in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config.pop("dtype", None)
    (folder / "config.json").write_text(json.dumps(config))
    scores = str(tmp_path / "scores")
    run("auto", large=str(folder), scores=scores)
    run("full", large=str(folder), scores=scores, dtype="float32")
    assert contents(tmp_path / "auto", "clues") != contents(tmp_path / "full", "clues")


def test_beta_of_a_matched_control_is_that_of_the_guide_it_is_matched_to(run: Run, tmp_path: Path) -> None:
    scores = str(tmp_path / "scores")
    contrast = run("contrast", scores=scores, beta=0.01)
    control = run("control", scores=scores, beta=0.01, guide="random", match_rate="contrast")
    assert control.drop_rate["planned"] == pytest.approx(contrast.drop_rate["planned"], abs=1e-6)


def test_a_home_folder_in_a_path_is_found_and_watched(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(corpus.parent))
    run(corpus=f"~/{corpus.name}", copies=1)
    assert run(corpus=f"~/{corpus.name}", copies=1).already_done
    corpus.touch()
    with pytest.raises(elusive.ElusiveError, match=r"corpus_files: texts\.jsonl changed"):
        run(corpus=f"~/{corpus.name}", copies=1)


def test_an_output_folder_inside_the_corpus_folder_is_refused(run: Run, corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus.parent, tmp_path / "texts")
    with pytest.raises(elusive.ElusiveError, match="lies inside the corpus"):
        run("texts/out", corpus=tmp_path / "texts")
    assert not (tmp_path / "texts" / "out").exists()


def test_a_finished_run_that_was_moved_tells_its_new_place(run: Run, tmp_path: Path) -> None:
    run("before", copies=1)
    (tmp_path / "before").rename(tmp_path / "after")
    assert run("after", copies=1).out == str(tmp_path / "after")


def test_overwrite_mends_a_run_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    run(copies=1)
    (tmp_path / "out" / "run.json").write_text("{")
    with pytest.raises(elusive.ElusiveError, match="--overwrite"):
        run(copies=1)
    assert run(copies=1, overwrite=True).rows == 30


def test_a_plan_refuses_what_the_run_would(run: Run, corpus: Path, large: str, small: str, tmp_path: Path) -> None:
    options = {"corpus": str(corpus), "large": large, "small": small, "preset": "paper", "out": str(tmp_path / "out")}
    run(copies=2)
    with pytest.raises(elusive.ElusiveError, match="copies: 2 there, 3 now"):
        plan_augment(AugmentConfig(**options, copies=3), progress=Bars(quiet=True))
    with pytest.raises(elusive.ElusiveError, match="neither a regular expression"):
        plan_augment(AugmentConfig(**options, protect="("), progress=Bars(quiet=True))


def test_a_tokenizer_of_another_model_is_refused(run: Run, tmp_path: Path) -> None:
    model = save_llama(tmp_path / "model", seed=1)
    many = " ".join(f"w{i}ord{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(600))
    byte_bpe(vocab_size=1500, text=many).save_pretrained(model)
    with pytest.raises(elusive.ElusiveError, match="is its tokenizer another model's"):
        run(large=model, corpus=_one_text(tmp_path, many))


def test_a_text_of_no_tokens_is_kept_as_it_is_on_disk_and_in_training(run: Run, tmp_path: Path) -> None:
    tokenizer = byte_bpe()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("\u200b", "")
    tokenizer.pad_token = None  # as Llama 3 comes
    model = save_llama(tmp_path / "model", seed=1, tokenizer=tokenizer)
    corpus = tmp_path / "two.jsonl"
    corpus.write_text(json.dumps({"id": "none", "text": "\u200b"}) + "\n" + json.dumps({"id": "some", "text": "a map"}))
    run(corpus=corpus, large=model, small=model, copies=2)
    assert {r["text"] for r in rows(tmp_path / "out") if r["source_id"] == "none"} == {"\u200b"}
    dropout = elusive.ClueDropout.from_folder(tmp_path / "out", originals_every=None)
    assert dropout.draw("\u200b", "none", epoch=1) == "\u200b"
    batch = dropout.collator(tokenizer)(list(dropout.originals()))
    assert batch["labels"][batch["attention_mask"] == 0].eq(-100).all()
    assert batch["labels"][batch["attention_mask"] == 1].ge(0).all()


def test_scores_damaged_between_two_stages_are_said_and_the_next_run_mends_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("whole")

    def damage(plan: job.DropPlan, *_: object, **__: object) -> job.DropPlan:
        for part in (tmp_path / "out" / "scores").rglob("*.safetensors"):
            part.write_bytes(part.read_bytes()[:-1])
        return plan

    with monkeypatch.context() as patched:
        patched.setattr(job, "at_rate", damage)
        patched.setattr("elusive.clues.score_store._PARTS_IN_MEMORY", 0)
        with pytest.raises(elusive.ElusiveError, match="damaged or removed; run the same command again"):
            run(target_rate=0.3)
    assert run(target_rate=0.3).drop_rate["planned"] == pytest.approx(0.3, abs=1e-6)
