"""Long random Unicode through every kind of tokenizer: offsets, units, cuts and projections hold, or it is refused."""

import random

import numpy as np
import pytest

from elusive.clues.alignment import project
from elusive.clues.drops import without
from elusive.clues.units import Units, units_of
from elusive.errors import ModelError
from elusive.tokenization import TextTokenizer, TokenizedText
from tests.fuzz.tally import Tally, share
from tests.fuzz.tokenizers_of_all_kinds import KINDS, random_text, tokenizer_of

_LONGEST = 400


def encoded(text: str, kind: str) -> TokenizedText | str:
    """Its tokens, or the line that refuses it."""
    try:
        [tokens] = TextTokenizer(tokenizer_of(kind), name=kind).encode([text], names=["t"])
    except ModelError as error:
        line = str(error)
    else:
        return tokens
    assert len(line.splitlines()) == 1
    assert "text 't'" in line
    return line


def offsets_hold(text: str, tokens: TokenizedText) -> None:
    starts, ends = tokens.starts, tokens.ends
    assert (starts >= 0).all()
    assert (ends <= len(text)).all()
    assert (ends[1:] > starts[1:]).all()
    assert (starts[1:] >= starts[:-1]).all()
    assert (ends[1:] >= ends[:-1]).all()


def units_hold(text: str, tokens: TokenizedText, units: Units) -> None:
    """Tokens are parted into units in order; a character is in one unit, or is left to none for a reason."""
    assert units.of_token.tolist() == sorted(units.of_token.tolist())
    assert sorted(set(units.of_token.tolist())) == list(range(len(units)))
    held = np.zeros(len(text), dtype=int)
    for start, end in zip(units.starts.tolist(), units.ends.tolist(), strict=True):
        held[start:end] += 1
    assert (held <= 1).all()
    for i in np.flatnonzero(held == 0).tolist():
        # White space that a tokenizer leaves out, and marks that stand alone behind it or before everything.
        assert text[i].isspace() or i == 0 or held[i - 1] == 0


def cuts_hold(text: str, units: Units, rng: random.Random) -> None:
    spans = [(a, b) for a, b in zip(units.starts.tolist(), units.ends.tolist(), strict=True) if b > a]
    chosen = [span for span in spans if rng.random() < 0.5]
    gone = {i for a, b in chosen for i in range(a, b)}
    kept = "".join(c for i, c in enumerate(text) if i not in gone)
    assert without(text, []) == text
    assert without(text, chosen).replace(" ", "") == kept.replace(" ", "")
    assert without(text, chosen, mode="mask", mask="") == kept
    blanked = without(text, chosen, mode="blank")
    assert blanked == "".join(" " if i in gone else c for i, c in enumerate(text))
    left = without(text, spans, mode="mask", mask="")
    assert left == "".join(c for i, c in enumerate(text) if not any(a <= i < b for a, b in spans))


def projection_holds(source: TokenizedText, target: TokenizedText, seed: int) -> None:
    """The mass on characters that the target has is kept; on equal tokens, nothing changes."""
    scores = np.random.default_rng(seed).random(len(source), dtype=np.float32)
    covered = {i for a, b in zip(target.starts, target.ends, strict=True) for i in range(a, b)}
    mass = 0.0
    for score, start, end in zip(scores.tolist(), source.starts.tolist(), source.ends.tolist(), strict=True):
        if end > start:
            mass += score * len(covered & set(range(start, end))) / (end - start)
    np.testing.assert_allclose(np.nansum(project(scores, source, target)), mass, rtol=1e-4, atol=1e-6)
    same = project(scores, source, source)
    alone = units_of(" " * int(source.ends.max(initial=0)), source).of_token
    single = (np.bincount(alone, minlength=1)[alone] == 1) & (source.ends > source.starts)
    np.testing.assert_array_equal(same[single], scores[single])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(600)
def test_offsets_units_cuts_and_projections_hold_for_any_text(kind: str, tally: Tally) -> None:
    others = list(KINDS)
    for seed in range(share(600, usual=12)):
        rng = random.Random(f"{kind} {seed}")
        text = random_text(rng, _LONGEST)
        tokens, other = encoded(text, kind), encoded(text, rng.choice(others))
        if isinstance(tokens, str):
            tally.note(f"random Unicode, tokenizer: {kind}", "refused", tokens)
            continue
        offsets_hold(text, tokens)
        for unit in ("token", "word"):
            units = units_of(text, tokens, kind=unit)
            units_hold(text, tokens, units)
            cuts_hold(text, units, rng)
        if not isinstance(other, str):
            projection_holds(tokens, other, seed)
        tally.note(f"random Unicode, tokenizer: {kind}", "survived")


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_the_same_among_many(kind: str) -> None:
    rng = random.Random(kind)
    texts = [text for text in (random_text(rng, 200) for _ in range(20)) if not isinstance(encoded(text, kind), str)]
    together = TextTokenizer(tokenizer_of(kind), name=kind).encode(texts, names=texts)
    for text, tokens in zip(texts, together, strict=True):
        alone = encoded(text, kind)
        assert isinstance(alone, TokenizedText)
        np.testing.assert_array_equal(tokens.ids, alone.ids)
        np.testing.assert_array_equal(tokens.starts, alone.starts)
        np.testing.assert_array_equal(tokens.ends, alone.ends)


def test_a_text_of_nothing_but_strays_is_tokenised_in_linear_time(tally: Tally) -> None:
    """Composed or stripped accents without number: each is given to a token, one by one."""
    text = "e\u0301" * 100_000
    for kind in ("byte-level, NFC", "byte-level, no accents"):
        tokens = encoded(text, kind)
        assert isinstance(tokens, TokenizedText)
        units = units_of(text, tokens)
        assert units.ends.tolist() == list(range(2, len(text) + 1, 2))
        tally.note("100,000 letters, each with an accent apart", "survived")
