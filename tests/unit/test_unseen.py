"""What nobody can see is shown by whatever shows text: an error, a page, a card."""

import unicodedata

import pytest

from elusive.data.markdown import code, escaped
from elusive.errors import one_line
from elusive.report.glyphs import visible

RANGES = [
    (0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F),
    (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0xFFFE, 0xFFFF), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xD800, 0xDFFF), (0xE0000, 0xE00FF), (0xE01F0, 0xE0FFF),
]  # fmt: skip
UNSEEN = [chr(c) for first, last in RANGES for c in range(first, last + 1)]
BREAKS = list("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")
# Emoji, Persian and Mongolian are not written without these.
JOINERS = list("\u200c\u200d\ufe0e\ufe0f\u180b\U000e0100")


@pytest.mark.parametrize("show", [one_line, visible, escaped, code])
def test_what_is_unseen_never_passes(show) -> None:
    assert [hex(ord(c)) for c in [*UNSEEN, *BREAKS] if c in show(f"a{c}b")] == []


@pytest.mark.parametrize("show", [one_line, visible, escaped, code])
def test_something_stands_for_what_is_unseen(show) -> None:
    assert [hex(ord(c)) for c in UNSEEN if show(f"a{c}b") == show("ab")] == []


@pytest.mark.parametrize("show", [visible, escaped])
def test_what_joins_letters_and_pictures_is_kept(show) -> None:
    assert [hex(ord(c)) for c in JOINERS if show(f"a{c}b") != f"a{c}b"] == []


@pytest.mark.parametrize("show", [one_line, visible, escaped])
def test_letters_of_all_scripts_are_kept(show) -> None:
    letters = [chr(c) for c in range(0x11_0000) if unicodedata.category(chr(c)) in ("Ll", "Lu", "Lo", "Nd")]
    assert [c for c in letters if show(c) != c and c not in UNSEEN] == []
