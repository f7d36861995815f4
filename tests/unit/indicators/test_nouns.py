"""Nouns of questions: how well the tagger finds them, where they are, and that no source stands in for another."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.errors import InputError, MissingExtraError, ModelError, OptionError
from elusive.indicators import nouns
from elusive.indicators.nouns import is_noun_token, noun_spans

# Labelled by hand: the words of each question that are common or proper nouns.
LABELLED = {
    "Who painted the ceiling of the Sistine Chapel?": "ceiling Sistine Chapel",
    "what is the capital of australia": "capital australia",
    "Which river flows through Vienna and Budapest?": "river Vienna Budapest",
    "how many strings does a violin have": "strings violin",
    "When was the first email sent?": "email",
    "In which year did the Berlin Wall fall?": "year Berlin Wall",
    "who invented the steam engine": "steam engine",
    "What is Agatha Christie's most famous play?": "Agatha Christie play",
    "Where were the 1992 Summer Olympics held?": "Summer Olympics",
    "who sings the song Bohemian Rhapsody": "song Bohemian Rhapsody",
    "What does the abbreviation DNA stand for?": "abbreviation DNA",
    "which planet has the largest moons in our solar system": "planet moons system",
    "Who didn't sign the treaty?": "treaty",
    "how tall is the mountain K2 in metres": "mountain K2 metres",
    "What colour is the flag of Japan's navy?": "colour flag Japan navy",
    "who was president when the war in vietnam ended": "president war vietnam",
    "Which Irish author wrote Dracula?": "author Dracula",
    "what language do people speak in brazil": "language people brazil",
    "Who discovered penicillin, and when?": "penicillin",
    "where does the body store fat": "body fat",
    "What was the name of Sherlock Holmes’s landlady?": "name Sherlock Holmes landlady",
    "how long does it take to boil an egg": "egg",
}


def found(question: str, **options: object) -> list[str]:
    return [question[first:last] for first, last in noun_spans(question, **options)]


def test_the_tagger_finds_the_nouns_of_questions_labelled_by_hand(record_property) -> None:
    shared = n_found = n_labelled = 0
    for question, labelled in LABELLED.items():
        tagged, expected = set(found(question)), set(labelled.split())
        shared, n_found, n_labelled = shared + len(tagged & expected), n_found + len(tagged), n_labelled + len(expected)
    f1 = 2 * shared / (n_found + n_labelled)
    record_property("noun_f1", f1)
    assert f1 >= 0.9, f1


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is John F. Kennedy's birthplace?", ["John", "F.", "Kennedy", "birthplace"]),
        ("Who led the U.S. Navy in World War II?", ["U.S.", "Navy", "World", "War", "II"]),
        ("who wrote Moby-Dick and O'Hara's novel", ["Moby-Dick", "O'Hara", "novel"]),
        ("Who’s the “king” of pop/rock?", ["king", "pop", "rock"]),
        ("Is it 3.5, 1,000 or '98?", []),
        ("the dog and the dog", ["dog", "dog"]),
        ("Who is he?", []),
        ("?", []),
        ("", []),
    ],
)
def test_words_are_cut_as_the_tagger_knows_them(question: str, expected: list[str]) -> None:
    assert found(question) == expected


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.sampled_from("aZé'’.,-/&; \n\t\u00a0\u2028“?1_字") | st.characters(), max_size=40))
def test_any_text_has_spans_in_order_without_white_space(question: str) -> None:
    spans = noun_spans(question)
    assert list(spans) == sorted(set(spans))
    assert all(first < last <= len(question) for first, last in spans)
    assert not any(c.isspace() for first, last in spans for c in question[first:last])


def test_given_nouns_count_wherever_they_are_words() -> None:
    question = "Is art in the Art Museum of New York party?"
    assert found(question, source="given", nouns=["New York", "art"]) == ["art", "Art", "New York"]
    assert found("東京の人口は", source="given", nouns=["人口"]) == ["人口"], "no spaces around words"
    assert found("a+b?", source="given", nouns=["a+b"]) == ["a+b"], "not a pattern"
    assert noun_spans(question, source="given", nouns=[]) == ()


def test_given_nouns_that_are_not_there_are_an_error_and_not_tagged_instead() -> None:
    with pytest.raises(InputError, match=r"came without nouns.*textblob or spacy"):
        noun_spans("Who wrote Emma?", source="given")
    with pytest.raises(InputError, match="'Dracula' is not in the question"):
        noun_spans("Who wrote Emma?", source="given", nouns=["Dracula"])
    with pytest.raises(OptionError, match="'nltk'"):
        noun_spans("Who wrote Emma?", source="nltk")


@pytest.fixture
def no_pipeline_kept() -> None:
    nouns._spacy.cache_clear()
    yield
    nouns._spacy.cache_clear()


@pytest.mark.usefixtures("no_pipeline_kept")
class TestSpacy:
    def test_it_is_asked_for_its_nouns_and_proper_nouns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tagged = [("Who", 0, "PRON"), ("wrote", 4, "VERB"), ("Emma", 10, "PROPN"), ("book", 16, "NOUN")]
        words = [SimpleNamespace(text=text, idx=at, pos_=tag) for text, at, tag in tagged]
        monkeypatch.setitem(sys.modules, "spacy", fake(lambda name, **_: lambda question: words))
        assert found("Who wrote Emma, book?", source="spacy") == ["Emma", "book"]

    def test_without_it_the_error_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "spacy", None)
        with pytest.raises(MissingExtraError, match=r"elusive\[spacy\]"):
            noun_spans("Who wrote Emma?", source="spacy")

    def test_without_its_model_the_error_names_the_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load(name: str, **options: object) -> None:
            raise OSError(f"[E050] Can't find model '{name}'")

        monkeypatch.setitem(sys.modules, "spacy", fake(load))
        with pytest.raises(ModelError, match="python -m spacy download en_core_web_sm"):
            noun_spans("Who wrote Emma?", source="spacy")


def fake(load: object) -> ModuleType:
    module = ModuleType("spacy")
    module.load = load
    return module


def test_tokens_of_nouns_are_those_that_share_a_character() -> None:
    #          0123456789012345678901
    question = "Who wrote Moby-Dick's?"
    offsets = [(0, 3), (3, 9), (9, 12), (12, 14), (14, 15), (15, 19), (19, 21), (21, 22), (22, 22)]
    (span,) = noun_spans(question)
    assert question[slice(*span)] == "Moby-Dick"
    starts, ends = zip(*offsets, strict=True)
    expected = [False, False, True, True, True, True, False, False, False]
    assert is_noun_token(starts, ends, nouns=[span]).tolist() == expected
    in_prompt = [[50 + place for place in places] for places in (starts, ends)]
    assert is_noun_token(*in_prompt, nouns=[span], question_start=50).tolist() == expected
    assert not is_noun_token(*in_prompt, nouns=[span]).any()


def test_an_empty_token_and_the_space_before_a_noun_are_no_nouns() -> None:
    assert is_noun_token([3, 4, 5, 5], [4, 8, 5, 9], nouns=[(4, 8)]).tolist() == [False, True, False, True]


def test_without_nouns_no_token_is_one() -> None:
    assert is_noun_token([0, 3], [3, 9], nouns=()).tolist() == [False, False]
    assert is_noun_token([], [], nouns=[(0, 3)]).tolist() == []
