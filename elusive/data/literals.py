"""Reads a list out of a cell of text: a Python literal, as DPR writes answers, or JSON. Nothing is ever run.

numpy's `array([...], dtype=object)`, which pandas writes for lists within a dictionary, is read as its list. Costs
some microseconds a cell.
"""

import ast
import io
import itertools
import json
import math
import re
import tokenize
import warnings
from typing import Final

_LONGEST_LITERAL: Final = 1 << 22  # characters; parsing takes a hundred times the memory
_SIDE_BY_SIDE: Final = re.compile(r"""['"]\s+['"]""")
_LAYOUT_TOKENS: Final = (tokenize.NL, tokenize.NEWLINE)


def is_literal(cell: str) -> bool:
    """Whether a cell looks like a list or a dictionary that was written out."""
    return cell.strip()[:1] in ("[", "{") and cell.strip()[-1:] in ("]", "}")


def number_as_text(value: object) -> object:
    """A number as people write it: `1969` for 1969.0, which is how pandas holds a year beside missing ones.

    None for NaN, which is how pandas holds what is missing; anything else as it is.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not math.isfinite(value):
        return None if math.isnan(value) else value
    return str(int(value) if value == int(value) else value)


def read_literal(cell: str) -> object:
    """The value that a cell spells.

    Raises:
        ValueError: it is no literal, neither of Python nor of JSON, or one that would be misread.
    """
    text = cell.strip()
    if len(text) > _LONGEST_LITERAL:
        raise ValueError(f"a literal of {len(text):,} characters")
    try:  # first, for Python would read the two escapes of one character as two characters
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = _read_python(text)
    return value


def _read_python(text: str) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            value: object = ast.literal_eval(_ArraysAsLists().visit(ast.parse(text, mode="eval")))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("neither a Python literal nor JSON") from None
    if _SIDE_BY_SIDE.search(text) and _joins_strings(text):
        raise ValueError("strings side by side without a comma, as numpy prints an array")
    return value


class _ArraysAsLists(ast.NodeTransformer):
    """Puts the list for `array([...], dtype=...)`; any other call is left, and refused by `ast.literal_eval`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(ast.Name("array"), [ast.List() as listed], [] | [ast.keyword("dtype", ast.Name())]):
                return self.generic_visit(listed)
        return node


def _joins_strings(text: str) -> bool:
    """Whether Python would make one string of two, and one answer of two."""
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    significant = [kind for kind in kinds if kind not in _LAYOUT_TOKENS]
    return any(a == b == tokenize.STRING for a, b in itertools.pairwise(significant))
