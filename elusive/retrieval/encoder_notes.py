"""What a user should know of how an encoder was loaded: choices that its folder leaves open. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from elusive.models import ModelSource
from elusive.retrieval.encoder_files import EncoderFiles
from elusive.retrieval.encoder_options import SIDES, EncoderOptions, Side, SideFormat

_OF_PASSAGES: Final = ("passage", "doc", "corpus")
"""Parts of names of prompts that are for passages."""
_SHOWN: Final = 3


def encoder_notes(
    parts: Mapping[Side, tuple[ModelSource, EncoderFiles]],
    formats: Mapping[Side, SideFormat],
    *,
    options: EncoderOptions,
) -> tuple[str, ...]:
    """The notes, each once.

    Args:
        parts: where the tower of each side comes from, and what its folder says.
        formats: what came of it.
        options: what the user said; nothing is noted of what was said.
    """
    found = [note for side in SIDES for note in _notes(side, *parts[side], formats[side], options)]
    return tuple(dict.fromkeys(found))


def _notes(
    side: Side, source: ModelSource, files: EncoderFiles, form: SideFormat, options: EncoderOptions
) -> Iterator[str]:
    if files.assumes_cosine and options.normalize is None:
        yield (
            f"{source.written} does not say how its vectors are compared; taking cosine, as SentenceTransformer does "
            "(--no-normalize: dot product)"
        )
    unused = [name for name in files.unused_prompts if side == "query" or any(word in name for word in _OF_PASSAGES)]
    if unused and not form.prefix and options.prefix(side) is None:
        shown = ", ".join(f"{name!r} ({files.unused_prompts[name]!r})" for name in unused[:_SHOWN])
        more = f" and {len(unused) - _SHOWN} more" if len(unused) > _SHOWN else ""
        what = "questions" if side == "query" else "passages"
        yield (
            f"{source.written} has prompts that no text is given: {shown}{more}; put one before the {what} by "
            f"--{side}-prefix"
        )
