"""Tokens replaced at random: as a loop would draw them, whatever was drawn before; what is learnt stays the text."""

from hashlib import blake2b

import numpy as np
import pytest

from elusive.pretraining.batches import IGNORED, Collator
from elusive.pretraining.replacing import TokenReplacement, ordinary_ids
from elusive.pretraining.rows import Document, Row, Rows, packed, pieces
from tests.tiny import WORDS, byte_bpe

WORD_IDS = np.array([3, 4, 6, 7, 9], dtype=np.int32)
SPECIAL = (0, 1)


@pytest.fixture
def rows() -> Rows:
    ids = np.random.default_rng(0).choice(np.array([*SPECIAL, *WORD_IDS], dtype=np.int32), (40, 25))
    return Rows(Row(row) for row in ids)


def slow(row: Row, number: int, *, probability: float, seed: int, epoch: int) -> list[int]:
    key = blake2b(f"replace-tokens\0{seed}\0{epoch}\0{number}".encode(), digest_size=16).digest()
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
    found = []
    for token in row.ids.tolist():
        chance, choice = generator.random(), generator.random()
        is_replaced = chance < probability and token not in SPECIAL
        found.append(int(WORD_IDS[int(choice * len(WORD_IDS))]) if is_replaced else token)
    return found


@pytest.mark.parametrize("epoch", [0, 3])
def test_tokens_are_replaced_as_a_loop_would(rows: Rows, epoch: int) -> None:
    found = TokenReplacement(0.3, WORD_IDS, seed=5).replaced(rows, epoch=epoch)
    for number in range(len(rows)):
        read = found[number].read
        assert read is not None
        assert read.tolist() == slow(rows[number], number, probability=0.3, seed=5, epoch=epoch)
        assert found[number].ids.tolist() == rows[number].ids.tolist()


def test_an_epoch_is_the_same_whatever_was_read_before_and_another_each_time(rows: Rows) -> None:
    def read(replacement: TokenReplacement, epoch: int) -> list[list[int]]:
        found = replacement.replaced(rows, epoch=epoch)
        return [found[number].read.tolist() for number in range(len(rows))]

    one, again = (TokenReplacement(0.3, WORD_IDS, seed=5) for _ in range(2))
    epochs = [read(one, epoch) for epoch in range(3)]
    assert read(again, 2) == epochs[2], "as a resumed run reads it"
    assert epochs[0] != epochs[1] != epochs[2]
    assert read(TokenReplacement(0.3, WORD_IDS, seed=6), 0) != epochs[0]


def test_special_tokens_stay_and_others_become_any_word_equally_often() -> None:
    n = 20_000
    ids = np.resize(np.array([0, 3], dtype=np.int32), n)
    read = TokenReplacement(0.4, WORD_IDS, seed=0).replaced(Rows([Row(ids)]), epoch=0)[0].read
    assert (read[ids == 0] == 0).all()
    words = read[ids == 3]
    share_of_others = 0.4 * (1 - 1 / len(WORD_IDS))
    assert np.mean(words != 3) == pytest.approx(share_of_others, abs=4 * np.sqrt(0.4 * 0.6 / len(words)))
    counts = np.array([np.sum(words == word) for word in WORD_IDS if word != 3])
    assert counts / len(words) == pytest.approx(np.full(4, 0.4 / len(WORD_IDS)), abs=0.01)


@pytest.mark.parametrize("pack", [False, True])
def test_the_true_tokens_are_learnt_from_the_replaced_ones(pack: bool) -> None:
    documents = [Document(np.array([3, 4, 6, 7], dtype=np.int32)), Document(np.array([9, 3, 4], dtype=np.int32))]
    rows = Rows(packed(documents, 7) if pack else pieces(documents, 7))
    given = TokenReplacement(0.9, np.array([11, *WORD_IDS], dtype=np.int32), seed=1).replaced(rows, epoch=0)
    collate = Collator(pad=2, packed=pack)
    plain, replaced = (collate([found[number] for number in range(len(found))]) for found in (rows, given))
    assert replaced["labels"].equal(plain["labels"])
    read = np.concatenate([given[number].read for number in range(len(given))])
    assert replaced["input_ids"][plain["input_ids"] != 2].tolist() == read.tolist()
    assert not replaced["input_ids"].equal(plain["input_ids"])
    assert (replaced["labels"] != IGNORED).sum() == 5


def test_ordinary_tokens_are_all_but_the_special_ones() -> None:
    tokenizer = byte_bpe()
    tokenizer.add_tokens(["<name>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    ids = ordinary_ids(tokenizer)
    assert sorted(ids.tolist()) == ids.tolist()
    assert not {*tokenizer.all_special_ids, tokenizer.convert_tokens_to_ids("<|im_start|>")} & set(ids.tolist())
    assert len(ids) == len(tokenizer) - 4
    assert set(tokenizer(WORDS)["input_ids"][1:]) <= set(ids.tolist())
