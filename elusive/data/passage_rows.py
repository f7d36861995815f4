"""The rules by which the passages that come with a question are read, and by which titles are made.

A passage is `{text, title?, section?, id?, score?}`, in every layout, or `{contents, …}`, whose first line is the
title. One that is unfit is left out and told. Reads no file.
"""

import math
from collections.abc import Mapping
from typing import Final

from elusive.data.identity import ContentIds
from elusive.data.question_layouts import QuestionLayout
from elusive.data.questions import Passage
from elusive.data.rejected import excerpt
from elusive.data.texts import encode_utf8, id_of
from elusive.data.unfit import QuestionReason, Unfit, is_usable

PASSAGE_IDS: Final = ("id", "_id", "docid", "passage_id", "psg_id", "pid")
"""Keys and columns in which tools of the field keep a passage's id, the likeliest first."""

_CONTENTS: Final = "contents"


def passages_of(values: Mapping[str, object], layout: QuestionLayout) -> tuple[tuple[Passage, ...], list[str]]:
    """The passages of a row, and what is wrong with those left out.

    Raises:
        Unfit: a column of passages holds no list.
    """
    ids = ContentIds()  # anew for each question: a passage has one id, whichever question it comes with
    passages: list[Passage] = []
    faults: list[str] = []
    for column in layout.passages:
        listed = values.get(column)
        if listed is not None and not isinstance(listed, list):
            raise Unfit(QuestionReason.PASSAGES, excerpt(f"{column}: {listed!r}"))
        for number, item in enumerate(listed or (), start=1):
            try:
                passages.append(_passage(item, ids))
            except Unfit as unfit:
                faults.append(excerpt(f"number {number} of {column}: {unfit.detail}"))
    return tuple(passages), faults


def title_of(values: Mapping[str, object]) -> str:
    """The title, with the section where there is one; the empty string where there is neither.

    Raises:
        Unfit: one of them is not a string, or holds a lone surrogate.
    """
    parts = [values.get(key) or "" for key in ("title", "section")]
    if not all(isinstance(part, str) and encode_utf8(part) is not None for part in parts):
        raise Unfit(QuestionReason.TITLE, excerpt(f"title {parts[0]!r}, section {parts[1]!r}"))
    return ": ".join(str(part) for part in parts if str(part).strip())


def split_title(contents: str) -> tuple[str, str]:
    """The title and the text of `contents`: its first line and the rest; a text of one line has no title."""
    if "\n" not in contents:
        return "", contents
    title, text = contents.split("\n", 1)
    is_quoted = len(title) > 1 and title[0] == title[-1] == '"'  # FlashRAG's corpora quote it and escape nothing
    return title[1:-1] if is_quoted else title, text


def without_quotes(text: str) -> str:
    """`text` without the pair of quotes around it, where they are the only ones: they came from a csv file."""
    inner = text[1:-1]
    return inner if len(text) > 2 and text == f'"{inner}"' and '"' not in inner else text


def _passage(item: object, ids: ContentIds) -> Passage:
    if not isinstance(item, dict):
        raise Unfit(QuestionReason.PASSAGE, f"not an object: {item!r}")
    title, text = title_of(item), item.get("text")
    if text is None and isinstance(item.get(_CONTENTS), str):
        first_line, text = split_title(item[_CONTENTS])
        title = title_of({**item, "title": first_line or title})
    if not isinstance(text, str) or not is_usable(text):
        known = text is not None or "text" in item or not item
        fault = f"text {text!r}" if known else f"neither text nor {_CONTENTS} among {', '.join(map(str, item))}"
        raise Unfit(QuestionReason.PASSAGE, fault)
    given = next((item[key] for key in PASSAGE_IDS if item.get(key) not in (None, "")), None)
    is_missing = given is None or given != given  # NaN, which alone differs from itself
    named = ids.of(text.encode()) if is_missing else id_of(given)
    if named is None:
        raise Unfit(QuestionReason.PASSAGE, f"id {given!r}")
    return Passage(named, title, text, _score(item.get("score")))


def _score(value: object) -> float | None:
    if value is None or value == "":
        return None
    try:
        score = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise Unfit(QuestionReason.PASSAGE, f"score {value!r}")
    return score
