"""The same dropout at training time: what each epoch shows."""

import copy
import dataclasses
import pickle
from types import SimpleNamespace

import pytest
from clue_cases import byte_level
from dropout_cases import PLAN, TEXTS, clue_dropout, dataset, shown, written

from elusive.clues.transform import ClueDropout
from elusive.errors import InputError, OptionError

ROWS = {"text": list(TEXTS.values()), "source_id": list(TEXTS), "label": [1, 2, 3, 4]}


@pytest.mark.parametrize("source", TEXTS)
def test_an_epoch_shows_the_very_copy_of_its_number(source):
    dropout = clue_dropout()
    drawn = [dropout.draw(TEXTS[source], source, epoch=epoch) for epoch in range(1, 11)]
    assert drawn == [written(source, number) for number in range(1, 11)]
    assert len(set(drawn)) == 10
    assert TEXTS[source] not in drawn


@pytest.mark.parametrize(("every", "originals"), [(11, [0, 11, 22]), (1, list(range(23))), (2, list(range(0, 23, 2)))])
def test_originals_are_shown_in_epoch_zero_and_every_so_many(every, originals):
    dropout = clue_dropout(originals_every=every)
    found = [epoch for epoch in range(23) if dropout.draw(TEXTS["a"], "a", epoch=epoch) == TEXTS["a"]]
    assert found == originals
    assert dropout.draw(TEXTS["a"], "a", epoch=23) == (TEXTS["a"] if every == 1 else written("a", 23))


def test_without_originals_every_epoch_shows_a_copy():
    dropout = clue_dropout(originals_every=None)
    drawn = [dropout.draw(TEXTS["a"], "a", epoch=epoch) for epoch in range(23)]
    assert TEXTS["a"] not in drawn
    assert drawn[11] == written("a", 11)
    assert len(set(drawn)) == 23


def test_originals_every_zero_is_refused():
    with pytest.raises(OptionError, match="originals_every is 0; expected at least 1, or None"):
        ClueDropout({}, plan=PLAN, originals_every=0)


def test_the_plan_says_what_a_drop_leaves():
    masked = dataclasses.replace(PLAN, mode="mask", mask="#")
    assert clue_dropout(plan=masked).draw(TEXTS["a"], "a", epoch=2) == written("a", 2, plan=masked)
    assert "#" in written("a", 2, plan=masked)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_text_without_clues_is_refused_by_its_id_from_the_first_epoch_on(epoch):
    dropout = clue_dropout()
    dropout.set_epoch(epoch)
    for use in (lambda rows: dropout({"text": ["x"], "source_id": ["nobody"]}), dropout.collator(byte_level())):
        with pytest.raises(InputError, match="no clues of a text 'nobody'; were these rows augmented in another run"):
            use([{"text": "x", "source_id": "nobody"}])


def test_ids_that_were_read_as_numbers_are_found():
    assert clue_dropout().draw(TEXTS["7"], 7, epoch=1) == written("7", 1)


def test_a_transform_of_rows_changes_their_texts_alone():
    dropout = clue_dropout()
    assert dropout(ROWS) == ROWS
    dropout.set_epoch(2)
    assert dropout(ROWS) == ROWS | {"text": [written(source, 2) for source in TEXTS]}


def test_a_dataset_shows_the_current_epoch():
    dropout, rows = clue_dropout(), dataset()
    rows.set_transform(dropout)
    for epoch in (0, 1, 2, 11, 1):
        dropout.set_epoch(epoch)
        assert dropout.epoch == epoch
        assert sorted(rows[:]["text"]) == shown(epoch)
        assert sorted(row["text"] for row in rows) == shown(epoch)


@pytest.mark.parametrize(
    "derive",
    [
        lambda rows: rows.shuffle(seed=0),
        lambda rows: rows.select(range(4)),
        lambda rows: rows.add_column("extra", [1, 2, 3, 4]),
        lambda rows: rows.rename_column("other", "renamed"),
        copy.deepcopy,
    ],
)
def test_datasets_made_from_one_with_the_transform_follow_the_same_epoch(derive):
    dropout, rows = clue_dropout(), dataset().add_column("other", [0] * 4)
    rows.set_transform(dropout)
    derived = derive(rows)
    dropout.set_epoch(4)
    assert sorted(derived[:]["text"]) == shown(4)


def test_a_pickled_dropout_draws_the_same():
    dropout = clue_dropout()
    dropout.set_epoch(3)
    again = pickle.loads(pickle.dumps(dropout))
    assert again.epoch == 3
    assert again(ROWS) == dropout(ROWS)


def test_collated_labels_are_the_ids_of_the_shown_texts_with_padding_left_out():
    tokenizer, dropout = byte_level(), clue_dropout()
    dropout.set_epoch(2)
    batch = dropout.collator(tokenizer)([{"text": TEXTS[s], "source_id": s, "label": 0} for s in TEXTS])
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
    lengths = set()
    for i, source in enumerate(TEXTS):
        expected = tokenizer(written(source, 2))["input_ids"]
        n = len(expected)
        lengths.add(n)
        assert batch["input_ids"][i].tolist()[:n] == batch["labels"][i].tolist()[:n] == expected
        assert batch["labels"][i].tolist()[n:] == [-100] * (batch["labels"].shape[1] - n)
        assert batch["attention_mask"][i].sum() == n
    assert len(lengths) > 1


def test_an_end_token_of_the_text_stays_in_the_loss_though_it_is_the_padding_token():
    from tiny import byte_bpe

    tokenizer = byte_bpe()
    tokenizer.pad_token = tokenizer.eos_token
    rows = [{"text": "a</s>", "source_id": "a"}, {"text": "abcdef", "source_id": "b"}]
    labels = clue_dropout().collator(tokenizer)(rows)["labels"][0].tolist()
    assert labels.count(tokenizer.eos_token_id) == 1
    assert labels[-1] == -100


def test_collated_texts_are_cut_to_a_length_only_if_one_is_given():
    rows = [{"text": TEXTS["a"], "source_id": "a"}]
    whole = clue_dropout().collator(byte_level())(rows)["input_ids"]
    short = clue_dropout().collator(byte_level(), max_length=5)(rows)["input_ids"]
    assert whole.shape[1] > 5
    assert short.tolist() == whole[:, :5].tolist()


@pytest.mark.parametrize(("state", "epoch"), [(None, 0), (0, 0), (1.0, 1), (1.25, 1), (1.5, 1), (1.75, 1), (2.0, 2)])
def test_the_callback_keeps_the_epoch_that_has_begun_even_when_a_run_goes_on_in_its_midst(state, epoch):
    dropout = clue_dropout()
    dropout.callback().on_epoch_begin(None, SimpleNamespace(epoch=state), None)
    assert dropout.epoch == epoch


def test_a_dropout_without_a_folder_has_no_originals():
    with pytest.raises(InputError, match="not made from a folder"):
        clue_dropout().originals()
