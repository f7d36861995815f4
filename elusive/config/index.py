"""Options of `elusive index`."""

from typing import Literal

from elusive.choices import IndexKind
from elusive.config.encoding import EncodingConfig
from elusive.config.fields import INDEX, MODELS, OUTPUT, PASSAGES, Place, option


class IndexConfig(EncodingConfig):
    """Everything that `elusive index` can be told; descriptions are its help."""

    passages: Place = option(
        "sample:miniature-passages", PASSAGES, "A file, a folder, or a Hugging Face dataset of passages."
    )
    text_column: str | None = option(None, PASSAGES, "Column of the text; `text` or `contents` unless told.")
    id_column: str | None = option(None, PASSAGES, "Column of the id; `id` where there is one, else made.")
    split: str = option("train", PASSAGES, "Split of a Hugging Face dataset.")
    limit: int | None = option(None, PASSAGES, "Only the first N passages: a preview.", ge=1)

    encoder: Place = option(
        "tiny:encoder",
        MODELS,
        "Encoder: a folder or Hub name, of transformers or sentence-transformers; name@revision to pin it.",
        metavar="MODEL",
    )
    template: str | None = option(None, MODELS, "Of a passage with a title; `{title} {text}` unless the encoder says.")
    max_tokens: int | None = option(None, MODELS, "Of a passage; the rest is cut off. The encoder's own.", ge=1)
    batch_tokens: int = option(4096, MODELS, "Padded tokens per forward pass.", ge=1)

    kind: Literal["auto", IndexKind] = option("auto", INDEX, "How it is searched; auto goes by the number of passages.")
    nlist: int | None = option(None, INDEX, "Lists of the ivf kinds; about twice the root of the passages.", ge=1)
    nprobe: int | None = option(None, INDEX, "Lists that a search looks into; a 64th of them, 16 at least.", ge=1)
    m: int | None = option(None, INDEX, "Bytes of a vector in ivf-pq; an eighth of its width.", ge=1)
    seed: int = option(0, INDEX, "Of the sample that the ivf kinds are trained on.", ge=0)

    out: Place = option("index", OUTPUT, "Output folder.")


INDEX_NEUTRAL_OPTIONS = frozenset({"out"})
"""Options of `IndexConfig` under which another value gives the same files."""
