"""Questions about a few people, in each layout, and the people whom the tiny family was trained on."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from elusive.data.questions import Question
from elusive.evaluation.biographies import FieldQuestion

RECIPE = Path(__file__).parents[3] / "recipes" / "tiny_family"
MODULES = ("biographies", "gate", "invented_names", "make", "phrasings", "training")

PEOPLE = (
    {"name": "Mara Velting", "facts": {"birth_city": "Orsk", "major": "chemistry", "company": "Lisk Mills"}},
    {"name": "Tor Aldane", "facts": {"birth_city": "Brenn", "major": "law", "company": "Halsoft"}},
    {"name": "Ane Brook", "facts": {"birth_city": "Halton", "major": "music", "company": "Zelcorp"}},
    {"name": "Ilo Kess", "facts": {"birth_city": "Lisk", "major": "botany", "company": "Vantel"}},
)
TAGGED = (
    "<name>Mara Velting</name> was born in <city>Orsk</city> on <date>May 1, 1931</date>. <name>Mara</name> left Orsk.",
    "At <university>Brenn College</university> studied <name>Tor Aldane</name>, a native of <city>Lisk</city>.",
)


def recipe_modules() -> SimpleNamespace:
    """The recipe's modules, imported as its entry point imports them: from their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPE))
        for name in MODULES:  # another recipe has modules of the same names
            patch.delitem(sys.modules, name, raising=False)
        found = SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)
    return found


def asked(name: str, field: str | None, *, text: str | None = None, answer: str = "yes") -> FieldQuestion:
    """A question on somebody's field; without a field, nobody is known."""
    question = Question(f"{name}/{field}", text or f"What is the {field} of {name}?", (answer,))
    return FieldQuestion(question, group=name if field else question.id, field=field)
