"""Inline tags: what they mark, what is left, and what is broken."""

import pytest
from corpus_files import as_jsonl, read_all
from hypothesis import given
from hypothesis import strategies as st

from elusive.data.corpus import read_corpus
from elusive.data.tags import BrokenTagsError, TaggedSpan, biographical_tags, untagged
from elusive.errors import OptionError

TAGS = ("name", "city")


def test_tags_go_and_their_places_stay():
    text, spans = untagged("<name>Ada Love</name>, born in <city>London</city>.", TAGS)
    assert text == "Ada Love, born in London."
    assert spans == (TaggedSpan("name", 0, 8), TaggedSpan("city", 18, 24))
    assert [text[s.start : s.end] for s in spans] == ["Ada Love", "London"]


def test_only_named_tags_are_looked_at():
    html = "<p>if a<b and c>d: <b>bold</b></p> <city >x</city > <City>"
    assert untagged(html, TAGS) == (html, ())
    assert untagged("<city>x</city>", ()) == ("<city>x</city>", ())


words = st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(words, st.sampled_from(TAGS), words)), words)
def test_tagging_and_untagging_gives_the_text_back(pieces, end):
    tagged = "".join(f"{before}<{tag}>{value}</{tag}>" for before, tag, value in pieces) + end
    text, spans = untagged(tagged, TAGS)
    assert text == "".join(before + value for before, _, value in pieces) + end
    assert [(s.tag, text[s.start : s.end]) for s in spans] == [(tag, value) for _, tag, value in pieces]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("in <city>London", "<city> is not closed"),
        ("in London</city>", "</city> closes nothing"),
        ("<city><name>x</name></city>", "<name> stands inside <city>"),
        ("<city>x</name>", "</name> closes nothing"),
    ],
)
def test_broken_tags_are_told(broken, why):
    with pytest.raises(BrokenTagsError, match=why):
        untagged(broken, TAGS)


def test_a_corpus_loses_tags_only_when_asked(write):
    path = write("tagged.jsonl", as_jsonl(["in <city>London</city>", "<city> </city>", "<city>Rome"]))
    assert read_all(path).strings == ["in <city>London</city>", "<city> </city>", "<city>Rome"]
    read = read_all(path, strip_tags=("city",))
    assert read.strings == ["in London"]
    assert [str(r).partition(": ")[2] for r in read.rejections] == [
        "text is empty or white space",
        "broken inline tags (<city> is not closed)",
    ]


def test_tags_of_biographies_are_known():
    assert biographical_tags("<name>Ada</name> of <city>Rome</city>, a < b and </p>") == {"name", "city"}
    assert biographical_tags("<p>no <b>such</b> thing</p> <city>not closed") == set()


def test_a_tag_is_named_by_a_word(write):
    path = write("texts.jsonl", as_jsonl(["x"]))
    with pytest.raises(OptionError, match="'<city>' is no name of a tag"):
        read_corpus(path, strip_tags=("<city>",), on_rejected=print)
