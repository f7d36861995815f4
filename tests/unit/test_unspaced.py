"""Scripts without spaces: which they are, and what counts as a word of them, in hits, answers, BM25 and leaks."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.data.bm25 import Bm25Index
from elusive.data.questions import Passage, Question
from elusive.evaluation.leaks import LeakSearch
from elusive.metrics import answer_tokens, exact_match, f1, has_answer
from elusive.unspaced import LETTERS, is_unspaced, n_unspaced, remark, spaced_out

SPACED_AFTER_ALL = [(0x3131, 0x318E), (0xFF21, 0xFF5A), (0xFFA0, 0xFFDC)]  # Hangul, Latin of full width
NUMERALS_AND_REPEATS = "\u3005\u3007\u303b\u303c\u3099\u309a\u309d\u309e\u30fd\u30fe\ua015\uff9e\uff9f"


def test_the_letters_are_those_of_unicodes_line_breaking_classes() -> None:
    regex = pytest.importorskip("regex")  # what transformers brings
    unspaced = regex.compile(r"[\p{Line_Break=ID}\p{Line_Break=CJ}\p{Line_Break=SA}]")
    for code in [*range(0xD800), *range(0xE000, 0x32000)]:
        character = chr(code)
        if unicodedata.category(character)[0] not in "LM" or any(a <= code <= b for a, b in SPACED_AFTER_ALL):
            continue
        expected = unspaced.match(character) is not None
        if not unicodedata.name(character, "").endswith("REPEAT MARK LOWER HALF"):
            assert is_unspaced(character) == (expected or character in NUMERALS_AND_REPEATS), hex(code)


@pytest.mark.parametrize(
    "text", ["", "plain", "été — Ålesund", "Москва", "서울은 크다", "नई दिल्ली", "שלום", "1969, $", "🙂"]
)
def test_other_scripts_are_left_alone(text: str) -> None:
    assert not is_unspaced(text)
    assert spaced_out(text) == text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("東京都は", ("東", "京", "都", "は")),
        ("1964年にTokyoで", ("1964", "年", "に", "tokyo", "て\u3099")),
        ("กรุงเทพ", ("ก", "รุ", "ง", "เ", "ท", "พ")),
        ("ガソリン。", ("カ\u3099", "ソ", "リ", "ン", "。")),
        ("Q&A 大阪", ("q", "&", "a", "大", "阪")),
    ],
)
def test_a_letter_with_its_marks_is_a_token(text: str, tokens: tuple[str, ...]) -> None:
    assert answer_tokens(text) == tokens


@pytest.mark.parametrize(
    ("passage", "answer", "hit"),
    [
        ("東京都は日本の首都です。", "東京", True),
        ("大阪城は大阪市にあります。", "大阪市", True),
        ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "กรุงเทพ", True),
        ("京都は古い都です。", "東京", False),
        ("กรุ่งเทพ", "กรุงเทพ", False),  # another tone is another syllable
        ("オリンピックは1964年に", "1964", True),
        ("第19641回", "1964", False),
        ("北京大学（Peking University）成立于1898年", "Peking University", True),
        ("北京大学（Peking University）成立于1898年", "北京 大学", True),
    ],
)
def test_an_answer_is_found_within_a_sentence(passage: str, answer: str, hit: bool) -> None:
    assert has_answer(passage, [answer]) is hit


mixed = st.text(st.sampled_from("東京都กรุ่งガ゙カ\u3099aé1 。-"), max_size=8)


@given(mixed, mixed)
def test_whatever_dprs_tokens_find_is_found(passage: str, answer: str) -> None:
    regex = pytest.importorskip("regex")
    pattern = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
    there, wanted = (pattern.findall(unicodedata.normalize("NFD", text).lower()) for text in (passage, answer))
    if wanted and any(there[i : i + len(wanted)] == wanted for i in range(len(there))):
        assert has_answer(passage, [answer])


@pytest.mark.parametrize(
    ("prediction", "answer", "em", "expected_f1"),
    [
        ("東京", "東京", 1.0, 1.0),
        ("「東京」。", "東京", 1.0, 1.0),
        ("東 京", "東京", 1.0, 1.0),
        ("東京都", "東京", 0.0, 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        ("大阪", "東京", 0.0, 0.0),
        ("ガ", "カ\u3099", 1.0, 1.0),
        ("the 東京", "東京", 1.0, 1.0),
        ("1964年", "1964", 0.0, 2 / 3),
        ("กรุงเทพมหานคร", "กรุงเทพ", 0.0, 2 * 6 / (12 + 6)),
    ],
)
def test_answers_are_compared_by_their_characters(prediction: str, answer: str, em: float, expected_f1: float) -> None:
    assert exact_match(prediction, [answer]) == em
    assert f1(prediction, [answer]) == pytest.approx(expected_f1)


def test_bm25_finds_by_pairs_of_characters() -> None:
    texts = [
        "東京都は日本の首都です。",
        "大阪城は大阪市にあります。",
        "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
        "A plain text.",
    ]
    index = Bm25Index([Passage(str(n), "", text) for n, text in enumerate(texts)])
    for question, place in (
        ("日本の首都はどこですか", 0),
        ("大阪城はどこ", 1),
        ("เมืองหลวงของประเทศไทยคืออะไร", 2),
        ("which text is plain", 3),
    ):
        assert index.best(question, k=1)[0].place == place
    assert index.best("海", k=1) == ()


def test_the_words_of_other_scripts_are_those_they_were() -> None:
    index = Bm25Index([Passage("1", "The Tarn", "The party took the boat in 1969, snake_case and été.")])
    words = sorted(index._places, key=index._places.__getitem__)
    assert words == ["the", "tarn", "party", "took", "boat", "in", "1969", "snake_case", "and", "été"]


def test_a_question_within_a_sentence_is_a_leak() -> None:
    search = LeakSearch([Question("a", "日本の首都はどこですか", ()), Question("b", "大阪城はどこ", ())])
    search.search(["これは問題です日本の首都はどこですか東京です", "大阪城"], source="s")
    assert search.found == {"a": "s"}


def test_questions_with_such_answers_are_counted_and_told() -> None:
    assert n_unspaced([("東京",), ("York",), ("York", "กรุงเทพ"), ()]) == 2
    assert "2 of the 4 questions" in remark(2, of=4)


@given(st.text(max_size=30))
def test_spacing_out_adds_spaces_alone(text: str) -> None:
    assert spaced_out(text).replace(" ", "") == text.replace(" ", "")
    assert spaced_out(spaced_out(text)).split() == spaced_out(text).split()


def test_the_ranges_are_in_order() -> None:
    bounds = [ord(character) for character in LETTERS if character != "-"]
    assert bounds == sorted(bounds)
