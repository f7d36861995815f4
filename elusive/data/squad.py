"""Reads the original files of SQuAD as a table of questions: articles of paragraphs of questions are taken apart.

Articles are streamed; memory is one of them. Contexts are not read: they hold the answer by construction.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from elusive.data.json_array import SQUAD_KEY, array_table
from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.tables import Row, Table

_COLUMNS: Final = ("id", "question", "answers")


@contextlib.contextmanager
def squad_table(path: Path) -> Iterator[Table]:
    """Opens a file of SQuAD as a table with `id`, `question` and `answers`; questions are numbered from 1.

    Raises:
        InputError: as `array_table`.
    """
    with array_table(path, key=SQUAD_KEY) as articles:
        yield Table(str(path), _COLUMNS, lambda _: _questions(articles))


def _questions(articles: Table) -> Iterator[Row | Rejection]:
    number = 0
    for article in articles.rows(()):
        if isinstance(article, Rejection):
            yield article
            continue
        for paragraph in _items(article.values, "paragraphs"):
            for question in _items(paragraph, "qas"):
                number += 1
                if isinstance(question, dict):
                    yield Row(number, {name: question[name] for name in _COLUMNS if name in question})
                else:
                    yield Rejection(articles.name, number, Reason.NOT_AN_OBJECT, excerpt(question))


def _items(parent: Any, key: str) -> list[Any]:
    """A list in an object; empty where there is no such list, as in an article without paragraphs."""
    found = parent.get(key) if isinstance(parent, Mapping) else None
    return found if isinstance(found, list) else []
