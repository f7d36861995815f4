"""What the package ships for trying things out: tiny models and samples, by name.

`tiny:…` stands wherever a model is named, `sample:…` wherever a corpus, questions or passages are: a family of two
models with a sample corpus (`recipes/tiny_family/`), and two readers and an encoder with questions and the passages
that answer them (`recipes/miniature/`). They are small enough to travel in the wheel and large enough to show the
methods at work; no result on them says anything about a real model. The people of `sample:people-real-…` are for real
models to learn (`recipes/real_people/`).
"""

from pathlib import Path

from elusive.errors import InputError, near_matches

_ROOM = Path(__file__).parent

MODELS = {
    "tiny:large": _ROOM / "tiny-large",
    "tiny:small": _ROOM / "tiny-small",
    "tiny:reader": _ROOM / "tiny-reader",
    "tiny:reader-untuned": _ROOM / "tiny-reader-untuned",
    "tiny:encoder": _ROOM / "tiny-encoder",
}
SAMPLES = {
    "sample:biographies": _ROOM / "biographies.jsonl",
    **{
        f"sample:people-{part}": _ROOM / "people" / f"{part}.jsonl.gz"
        for part in (
            *("choose", "0", "1", "2", "0-short", "1-short", "2-short"),
            *("0-rewritten", "1-rewritten", "2-rewritten", "known", "replay"),
            *(f"real-{lot}{kind}" for lot in ("choose", "0", "1", "2") for kind in ("", "-one", "-questions")),
        )
    },
    **{
        f"sample:miniature-{part}": _ROOM / "miniature" / f"{part}.jsonl"
        for part in ("passages", "train", "dev", "test")
    },
}


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
