"""Reads a corpus and judges the outcome: texts that are texts, rows set aside with a reason, or one line of error."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from elusive.data.corpus import Rejection, Text, read_corpus
from elusive.data.rejected import Reason
from elusive.errors import ElusiveError
from tests.fuzz.mutants import Seed
from tests.fuzz.tally import Outcome

REASONS = frozenset(Reason)


@dataclass
class Reading:
    """What came of a corpus; `error` is the refusal, and what came before it is kept."""

    texts: list[Text] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    error: str | None = None

    @property
    def strings(self) -> list[str]:
        return [text.text for text in self.texts]

    @property
    def outcome(self) -> Outcome:
        return "refused" if self.error or self.rejections else "survived"

    @property
    def line(self) -> str:
        return self.error or (str(self.rejections[0]) if self.rejections else "")


def read(source: Path | str, **options) -> Reading:
    """Reads `source` to its end or its error, and holds the outcome to what every reader promises."""
    reading = Reading()
    try:
        for text in read_corpus(source, on_rejected=reading.rejections.append, **options):
            reading.texts.append(text)
    except ElusiveError as error:
        reading.error = str(error)
        assert len(reading.error.splitlines()) == 1, "an error of several lines"
        assert reading.error.isprintable(), "an error that a terminal would not show as it is"
    assert all(text.text.strip() and text.text.encode() for text in reading.texts)
    assert len({text.id for text in reading.texts}) == len(reading.texts)
    assert all(row.reason in REASONS and len(row.detail) <= 200 for row in reading.rejections)
    lines = [row.line for row in reading.rejections if row.line is not None]
    assert lines == sorted(lines)
    assert reading.texts or reading.error, "nothing, and not a word"
    return reading


def hold_to(reading: Reading, seed: Seed, content: bytes, *, name: str) -> None:
    """What a damaged file must still give."""
    untouched = seed.n_untouched(content)
    if reading.error is None:
        assert tuple(reading.strings[:untouched]) == seed.strings[:untouched], "untouched rows are not as they were"
        assert not seed.checked or tuple(reading.strings) == seed.strings, "damage got past a checksum"
    if name.endswith(".jsonl") and (reading.error is None or "no usable text" in reading.error):
        _every_line_is_accounted_for(reading, content)


def _every_line_is_accounted_for(reading: Reading, content: bytes) -> None:
    """Each line of JSON is a text, exactly, or set aside under its number."""
    lines = {number: line for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()}
    aside = {row.line for row in reading.rejections}
    assert aside <= lines.keys()
    assert len(aside) == len(reading.rejections)
    assert reading.strings == [json.loads(line)["text"] for number, line in lines.items() if number not in aside]
