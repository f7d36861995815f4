"""The card of a run says what was done, to anybody, and is the same for the same run."""

import re

import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.clues.card import augment_card
from elusive.clues.card_text import CLUE_COLUMNS, DATA_COLUMNS
from elusive.config import AugmentConfig
from elusive.data.card_merge import merge_cards
from elusive.data.cards import split_card
from elusive.data.dataset_folder import clues_schema, data_schema
from elusive.data.markdown import code, escaped, struck_out

RESULT = {
    "texts": 60, "tokens": 7115, "rows": 660, "rejected": 3, "unchanged": 2, "alpha": 0.7, "beta": 0.05,
    "drop_rate": {"planned": 0.566, "realised": 0.5671},
    "prefixes": {"large": {"chosen": {"token": "<s>"}}, "small": {"chosen": {"token": "\n"}}},
}  # fmt: skip
TEXT = "She was *not* born\nin Orsk."


def card(example: str = TEXT, *, result: dict | None = None, large_is: str = "files:beef", **options) -> str:
    return augment_card(
        AugmentConfig(**{"preset": "paper", "large": "tiny:large"} | options),
        result=RESULT | (result or {}),
        models={"large": large_is, "small": "files:feed"},
        corpus="c0ffee",
        example=(example, [(4, 13), (18, 21)]),
        versions={"elusive": "0.1.0", "torch": "2.9"},
    )


def fields(text: str) -> dict:
    return yaml.safe_load(split_card(text).header)


def test_the_whole_of_it_is_marked_as_generated_and_renewed() -> None:
    assert merge_cards(card(), card(result={"texts": 5})).text == card()


def test_what_was_done_is_there() -> None:
    text = card(protect=("digits",), rank="relative", seed=4, large="a/large", large_is="hub:a/large@0123abcd")
    for words in (
        "p_drop = α · (1 − exp(−β · r · 64 / n))    α = 0.7, β = 0.05",
        "56.6% planned, 56.7% realised",
        "`,` and `.`, `digits`",
        "| large model | [a/large](https://huggingface.co/a/large) at `0123abcd` |",
        "| prefix of large | `<s>` |",
        "60 texts in 660 rows",
        "| source rows set aside | 3 |",
        "--protect digits --seed 4 --out OUT",
        "--rank relative",
        "| torch | `2.9` |",
        "arXiv:2409.17954",
        "Gao, Jian and Zhang, Xiao",
        "arXiv:2402.11794",
    ):
        assert words in text, words


def test_columns_are_those_of_the_files() -> None:
    assert list(DATA_COLUMNS) == data_schema().names
    assert list(CLUE_COLUMNS) == clues_schema().names
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", card(), flags=re.MULTILINE)
    assert [name for name, _ in rows] == [*DATA_COLUMNS, *CLUE_COLUMNS]
    assert dict(rows)["p_drop"] == "float32"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "ranked by the contrast of the attention they receive (large − small)"),
        ({"guide": "surprisal:small"}, "ranked by their surprisal in the small model, the largest first"),
        ({"copies": 0}, "The rows are the texts themselves. Copies are drawn while a model trains"),
        ({"copies": 3}, "Each of 3 copies of a text draws anew, every unit by itself, and each text itself is a row"),
        ({"contrast": "log-ratio"}, "the logarithm of large / small"),
        ({"guide": "attention:small"}, "by their attention in the small model"),
        ({"unit": "word"}, "The words of a text are ranked"),
        ({"drop_mode": "mask", "mask_string": "`|x"}, "replaced by `` `\\|x ``"),
        ({"originals": False}, "every unit by itself."),
    ],
)
def test_the_method_is_told_as_it_was(options: dict, words: str) -> None:
    assert words in card(**options)


def test_random_dropout_has_no_beta() -> None:
    text = card(guide="random", result={"beta": None, "alpha": 0.3})
    assert "p_drop = 0.3\n" in text
    assert "are not ranked" in text


def test_options_that_change_no_row_are_not_told() -> None:
    text = card(out="/home/me/out", scores="/home/me/s", push_to_hub="you/secret", workers=3)
    for word in ("/home/me", "you/secret", "--workers"):
        assert word not in text
    assert 'load_dataset("out", "clues"' in text


def test_names_turn_no_words_around_them() -> None:
    text = card(corpus="a\u202eb\nc\u200b.jsonl", out="/o/u\u2066t", mask_string="\u200b", drop_mode="mask")
    assert not set("\u202e\u200b\u2066") & set(text)
    assert fields(text)["pretty_name"].startswith("a\ufffdb c\ufffd.jsonl")


def test_names_on_the_hub_stay_whole() -> None:
    assert "elusive augment you/corpus:en --small tiny:small --large a/large" in card(
        corpus="you/corpus:en", large="a/large"
    )


def test_the_licence_is_stated_or_its_absence_is() -> None:
    assert fields(card(license="CC-BY-4.0"))["license"] == "cc-by-4.0"
    assert "license" not in fields(card())
    assert "The licence of the source corpus applies" in card()
    assert "--license Apache-2.0" in card(license="Apache-2.0")


@pytest.mark.parametrize("licence", ["", "a b", "x\ny", "-x", "a: b"])
def test_a_licence_is_one_word(licence: str) -> None:
    with pytest.raises(ValueError, match="license"):
        AugmentConfig(license=licence)


def test_the_licence_changes_no_row_and_so_not_the_identity() -> None:
    assert fields(card(license="mit"))["dataset_info"] == fields(card())["dataset_info"]
    assert fields(card(seed=1))["dataset_info"] != fields(card())["dataset_info"]


@pytest.mark.parametrize(
    ("rows", "category"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K"), (10**12, "n>1T"), (10**11, "100B<n<1T")],
)
def test_size_categories_are_those_of_the_hub(rows: int, category: str) -> None:
    assert fields(card(result={"rows": rows}))["size_categories"] == [category]


def test_the_hubs_own_reader_understands_it() -> None:
    read = DatasetCard(card(license="mit"))
    assert read.data.license == "mit"
    assert read.data.task_categories == ["text-generation"]
    assert [config["config_name"] for config in read.data.to_dict()["configs"]] == ["default", "clues"]


def test_the_example_strikes_out_what_copy_one_drops() -> None:
    assert "> She <del>was \\*not\\*</del> born<del> in</del> Orsk." in card()


def test_a_long_example_is_cut() -> None:
    assert (
        struck_out("a " * 100, [(0, 1), (18, 21), (50, 60)], length=20)
        == "<del>a</del> a a a a a a a a <del>a </del> …"
    )


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=21))
def test_no_text_breaks_out_of_the_example(text: str) -> None:
    shown = escaped(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>`*|#\[\]]", shown)
    whole = card(text)
    whole.encode("utf-8")
    assert merge_cards(card(), whole).kept == ()


@given(st.text())
def test_a_code_span_is_one(text: str) -> None:
    span = code(text)
    ticks = re.match("`+", span)
    assert ticks is not None
    assert span.endswith(ticks[0])
    assert "\n" not in span


def test_the_same_run_has_the_same_card() -> None:
    assert card() == card()
