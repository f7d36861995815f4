"""A card that was edited where it lies survives every renewal: no character that a person wrote is lost."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.data.card_merge import generated, merge_cards, renamed
from elusive.data.cards import split_card
from elusive.data.dataset_folder import dataset_card
from elusive.errors import InputError


def card(text: str = "# Made", *, rows: str = "n<1K", **fields: object) -> str:
    """What a run writes."""
    return dataset_card(
        {"tags": ["elusive"], "size_categories": [rows], **fields}, generated(text), identity=str(len(text))
    )


def fields(text: str) -> dict:
    return yaml.safe_load(split_card(text).header)


NEW, OLD = card("# New\n\nText.", rows="1K<n<10K"), card("# Old")

# Text of users: anything but front matter's fence and our own comments.
prose = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(
    lambda text: "---" not in text and "<!--" not in text
)
words = st.text(st.sampled_from("abcxyz é:#'\"-[]{}&*!|>%@,\u2028"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.dates() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
names = st.text("abcdefgh_", min_size=1, max_size=6).filter(lambda name: name not in ("configs", "tags"))


@settings(max_examples=60, deadline=None)
@given(before=prose, after=prose)
def test_text_around_the_generated_part_stays(before: str, after: str) -> None:
    parts = split_card(OLD)
    block = parts.body.strip()
    edited = OLD.removesuffix(parts.body) + f"{before}{block}{after}"
    merged = merge_cards(NEW, edited)
    assert merged.text.endswith(f"{before}{split_card(NEW).body.strip()}{after}") or not (before + after).strip()
    assert "# Old" not in merged.text
    assert merge_cards(NEW, merged.text).text == merged.text


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, values, max_size=4), st.lists(st.sampled_from(["# a comment", "", "#"]), max_size=3))
def test_fields_and_comments_of_users_stay(own: dict, comments: list[str]) -> None:
    header = "".join(yaml.safe_dump({name: value}, allow_unicode=True) for name, value in own.items())
    lines = "".join(f"{line}\n" for line in comments)
    edited = OLD.replace("---\n", f"---\n{lines}{header}{lines}", 1)
    merged = merge_cards(NEW, edited).text
    assert f"{lines}{header}{lines}" in merged
    assert fields(merged) == fields(edited) | {
        k: fields(NEW)[k] for k in ("configs", "dataset_info", "size_categories")
    }
    assert merge_cards(NEW, merged).text == merged


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_at_all_is_kept_or_refused(older: str) -> None:
    try:
        merged = merge_cards(NEW, older).text
    except InputError:
        return
    assert split_card(older).body.strip() in merged
    assert fields(merged)["configs"] == fields(NEW)["configs"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_card_is_its_parts(text: str) -> None:
    for whole in (text, f"---\n{text}", f"---\n{text}\n---\n{text}", f"\ufeff--- \r\n{text}\r\n---"):
        parts = split_card(whole)
        assert parts.mark + parts.opening + parts.header + parts.closing + parts.body == whole


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_unedited_card_is_renewed_whole(line_end: str) -> None:
    merged = merge_cards(NEW, OLD.replace("\n", line_end))
    assert merged.kept == ()
    assert fields(merged.text) == fields(NEW)
    assert merged.text.endswith(split_card(NEW).body)


def test_an_edited_generated_part_is_kept_and_it_is_said() -> None:
    edited = OLD.replace("# Old", "# My title")
    merged = merge_cards(NEW, edited)
    assert "# My title" in merged.text
    assert "# New" not in merged.text
    assert fields(merged.text)["size_categories"] == ["1K<n<10K"]
    assert merged.kept == ("its text, which was edited there",)


@pytest.mark.parametrize("cut", ["begin", "end"])
def test_a_part_whose_comment_was_deleted_is_the_users(cut: str) -> None:
    edited = re.sub(rf"<!-- elusive:{cut}.*?-->", "", OLD)
    assert split_card(merge_cards(NEW, edited).text).body == split_card(edited).body


def test_a_card_that_is_not_ours_gains_the_fields_and_keeps_its_text() -> None:
    merged = merge_cards(NEW, "# By hand\n")
    assert split_card(merged.text).body == "# By hand\n"
    assert fields(merged.text) == fields(NEW)
    assert merge_cards(NEW, "---\nlicense: mit\n---\n").text.endswith(split_card(NEW).body)


def test_the_licence_of_the_hub_wins_and_it_is_said() -> None:
    merged = merge_cards(card("# New", license="apache-2.0"), OLD.replace("tags:", "license: mit # ours\ntags:"))
    assert "license: mit # ours\n" in merged.text
    assert merged.kept == ("its license",)


def test_comments_between_renewed_fields_stay() -> None:
    edited = OLD.replace("configs:", "# mine\n\nconfigs:").replace("dataset_info:", "# of\ndataset_info:")
    edited = edited.replace("\n---\n", "\n# me\n---\n", 1)
    header = split_card(merge_cards(NEW, edited).text).header
    assert re.findall("^#.*", header, flags=re.MULTILINE) == ["# mine", "# of", "# me"]


def test_subsets_that_a_user_added_stay() -> None:
    extra = {"config_name": "questions", "data_files": "questions.jsonl"}
    header = yaml.safe_dump(fields(OLD) | {"configs": [*fields(OLD)["configs"], extra]})
    merged = merge_cards(NEW, f"---\n{header}---\n")
    assert fields(merged.text)["configs"] == [*fields(NEW)["configs"], extra]
    assert fields(merged.text)["dataset_info"] == fields(NEW)["dataset_info"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a: [", "broken YAML"),
        ("- a", "not a mapping"),
        ("{license: mit}", "one field a line"),
        ("a: &x 1\nconfigs: &y []\nb: *y", "broken YAML"),
        ("license: mit\n...", "broken YAML|one field a line"),
    ],
)
def test_front_matter_that_cannot_be_taken_apart_is_refused(header: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        merge_cards(NEW, f"---\n{header}\n---\nText")


def test_names_cannot_end_the_generated_part() -> None:
    text = card("of <!-- elusive:end --> and")
    assert merge_cards(NEW, text).kept == ()


def test_the_name_follows_the_place_unless_the_text_was_edited() -> None:
    local = card('```python\nload_dataset("out", "clues")\n```')
    there = renamed(local, "you/name")
    assert 'load_dataset("you/name", "clues")' in there
    assert merge_cards(NEW, there).kept == ()
    edited = local.replace("```python", "```py")
    assert renamed(edited, "you/name") == edited
