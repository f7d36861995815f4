"""What the package ships for trying things out: a tiny model family and a sample corpus, by name.

`tiny:large`, `tiny:small` and `sample:biographies` stand wherever a model or a corpus is named. They are small
enough to travel in the wheel and large enough to show the method at work; no result on them says anything about
a real model. How they were made: `recipes/tiny_family/`.
"""

from pathlib import Path

from elusive.errors import InputError, near_matches

_ROOM = Path(__file__).parent

MODELS = {"tiny:large": _ROOM / "tiny-large", "tiny:small": _ROOM / "tiny-small"}
SAMPLES = {"sample:biographies": _ROOM / "biographies.jsonl"}


def is_embedded(name: str) -> bool:
    """Whether `name` is of the form the package reserves for what it ships."""
    return name.startswith(("tiny:", "sample:"))


def path_of(name: str) -> Path:
    """The file or folder that an embedded name stands for.

    Raises:
        InputError: no such embedded model or sample; near matches are named.
    """
    shipped = MODELS | SAMPLES
    if name not in shipped:
        raise InputError(f"nothing embedded is called {name!r}{near_matches(name, shipped)}")
    return shipped[name]
