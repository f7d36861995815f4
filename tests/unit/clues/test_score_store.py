"""Scores on disk: found again by what they depend on, set aside when damaged."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from score_cases import KEY, TEXTS, parts, same, scores_of, store_of

from elusive.attention.windows import TextScores
from elusive.clues.score_store import ScoreKey


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def filled(tmp_path) -> dict[str, TextScores]:
    """Two parts of two texts under `KEY` in `tmp_path`."""
    scores = scores_of(TEXTS)
    store = store_of(tmp_path, KEY)
    store.add(TEXTS[:2], scores[:2])
    store.add(TEXTS[2:], scores[2:])
    return dict(zip(TEXTS, scores, strict=True))


def texts_in(part: Path) -> list[str]:
    """The two texts of a part: it is the one that is still read when the other is out of the way."""
    [other] = [p for p in parts(part.parent.parent) if p != part]
    hidden = other.rename(other.with_suffix(".hidden"))
    try:
        missing = store_of(part.parent.parent, KEY).missing(TEXTS)
    finally:
        hidden.rename(other)
    return [text for text in TEXTS if text not in missing]


def test_what_was_added_comes_back_bit_for_bit_in_this_store_and_a_new_one(tmp_path, filled):
    store = store_of(tmp_path, KEY)
    for text, scores in filled.items():
        assert same(store.get(text), scores)
    more = scores_of(["new"], seed=1)
    store.add(["new"], more)
    assert same(store.get("new"), more[0])
    assert same(store_of(tmp_path, KEY).get("new"), more[0])


def test_an_empty_store_misses_everything_and_makes_no_folder(tmp_path):
    store = store_of(tmp_path / "scores", KEY)
    assert store.missing(TEXTS) == TEXTS
    with pytest.raises(KeyError, match="no scores of this text"):
        store.get(TEXTS[0])
    assert not (tmp_path / "scores").exists()


def test_texts_are_found_by_themselves_whatever_corpus_or_order_they_come_in(tmp_path, filled):
    store = store_of(tmp_path, KEY)
    assert store.missing(["other", TEXTS[3], "more", TEXTS[0], "other"]) == ["other", "more"]
    assert store.missing([TEXTS[0] + " "]) == [TEXTS[0] + " "]


def test_a_text_without_tokens_is_kept_too(tmp_path):
    scores = [
        *scores_of(["ab"]),
        TextScores(np.empty(0, np.float32), np.empty(0, np.float32), 0.0, 0.0),
        *scores_of(["c"]),
    ]
    store_of(tmp_path, KEY).add(["ab", "", "c"], scores)
    store = store_of(tmp_path, KEY)
    assert all(same(store.get(text), s) for text, s in zip(["ab", "", "c"], scores, strict=True))


OTHERS = {
    "model": "m2", "tokenizer": "t2", "prefix": 1, "window": 64, "layers": (0,), "heads": (1,), "dtype": "bfloat16",
    "impl": "exact", "renormalise": True, "row_weights": "gap/1/2", "version": 0,
}  # fmt: skip


def test_every_field_of_the_key_is_tried():
    assert OTHERS.keys() == {f.name for f in dataclasses.fields(ScoreKey)}


@pytest.mark.parametrize("name", OTHERS)
def test_another_key_does_not_find_them(tmp_path, filled, name):
    other = dataclasses.replace(KEY, **{name: OTHERS[name]})
    assert store_of(tmp_path, other).missing(TEXTS) == TEXTS
    assert store_of(tmp_path, dataclasses.replace(KEY)).missing(TEXTS) == []


def test_the_key_lies_beside_its_scores_for_people(tmp_path, filled):
    assert json.loads((tmp_path / KEY.digest / "key.json").read_text()) == dataclasses.asdict(KEY)


def flip(part: Path, offset: int, mask: int = 0xFF) -> None:
    content = bytearray(part.read_bytes())
    content[offset] ^= mask
    part.write_bytes(content)


def header_len(part: Path) -> int:
    return 8 + int.from_bytes(part.read_bytes()[:8], "little")


DAMAGES = {
    "length of the header": lambda part: flip(part, 2),
    "first byte of the header": lambda part: flip(part, 8),
    "middle of the header": lambda part: flip(part, header_len(part) // 2),
    "a type in the header": lambda part: flip(part, part.read_bytes().index(b'"F32"') + 1, ord("F") ^ ord("I")),
    "first byte of the scores": lambda part: flip(part, header_len(part)),
    "one bit of the last score": lambda part: flip(part, part.stat().st_size - 1, 1),
    "cut short": lambda part: part.write_bytes(part.read_bytes()[:-1]),
    "cut in the header": lambda part: part.write_bytes(part.read_bytes()[:20]),
    "empty": lambda part: part.write_bytes(b""),
    "something else": lambda part: part.write_bytes(b"<html>" * 99),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_set_aside_and_said_and_its_texts_alone_are_missing(tmp_path, filled, said, damage):
    victim = parts(tmp_path)[0]
    lost = texts_in(victim)
    assert len(lost) == 2
    DAMAGES[damage](victim)
    store = store_of(tmp_path, KEY, on_damage=said.append)
    assert store.missing(TEXTS) == lost
    assert [victim.name in line and "set aside" in line and "\n" not in line for line in said] == [True]
    assert victim.with_suffix(".damaged").exists()
    assert not victim.exists()
    for text in TEXTS:
        if text in lost:
            with pytest.raises(KeyError):
                store.get(text)
        else:
            assert same(store.get(text), filled[text])
    store.add(lost, [filled[text] for text in lost])
    assert all(same(store_of(tmp_path, KEY).get(text), filled[text]) for text in TEXTS)


def test_no_flipped_byte_ever_gives_another_score(tmp_path):
    """Whatever byte it is, the part's scores come back as they were, or not at all."""
    [scores] = scores_of(["ab"])
    store_of(tmp_path, KEY).add(["ab"], [scores])
    [part] = parts(tmp_path)
    content = part.read_bytes()
    outcomes = set()
    for offset in range(len(content)):
        part.write_bytes(content)
        flip(part, offset, 1 << offset % 8)
        store = store_of(tmp_path, KEY)
        if store.missing(["ab"]):
            outcomes.add("missing")
        else:
            assert same(store.get("ab"), scores)
            outcomes.add("unharmed")
        part.with_suffix(".damaged").unlink(missing_ok=True)
    assert "missing" in outcomes
