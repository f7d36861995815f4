"""A dense bi-encoder: questions and passages become vectors, and a score is their dot product (METHOD 2.2).

One model serves both sides, or two that share nothing. Vectors are made without gradient for an index (`encode`), or
with it for a training step (`embed`). Knows no index and no loss. What a folder says of pooling, prefixes and lengths
is read by `encoder_files`; how a text is tokenised and its states become a vector is in `encoder_tower`.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elusive.data.questions import Passage
from elusive.errors import ModelError, OptionError
from elusive.models import ModelSource
from elusive.progress import Advance
from elusive.retrieval.encoder_architecture import check_side
from elusive.retrieval.encoder_batches import batches_by_length
from elusive.retrieval.encoder_files import EncoderFiles, is_separate
from elusive.retrieval.encoder_loading import folder_of, load_tower, tower_files
from elusive.retrieval.encoder_notes import encoder_notes
from elusive.retrieval.encoder_options import DEFAULT_TEMPLATE, SIDES, EncoderOptions, Side, SideFormat
from elusive.retrieval.encoder_saving import atomic_folder, write_tower
from elusive.retrieval.encoder_tower import Tower
from elusive.types import Float, Tensor

_TOKENIZED_AT_ONCE: Final = 1024
"""Texts: a tokenizer's lists of numbers take ten times the room of its arrays."""
_CPU_BATCH_TOKENS: Final = 1_024
_GPU_BATCH_TOKENS: Final = 65_536


class Encoder(nn.Module):
    """Both sides of a bi-encoder; `load_encoder` makes it.

    A module of torch like any other: training mode, devices, state and wrapping for several processes are as ever.
    In evaluation mode when made.

    Args:
        towers: one tower for `both`, or one for `query` and one for `passage`.
        formats: of each side.
        template: a passage with a title as text.
        batch_tokens: tokens of a forward pass of `encode`, padding included; None as `EncoderOptions` has it.
        notes: what a user should know of how it was loaded, a line each.

    Raises:
        ModelError: towers whose vectors have different lengths.
    """

    def __init__(
        self,
        towers: Mapping[str, Tower],
        formats: Mapping[Side, SideFormat],
        *,
        template: str,
        batch_tokens: int | None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        # By role, so that a tied tower is in the state once.
        self.towers = nn.ModuleDict(towers)
        self.formats = dict(formats)
        self.template = template
        self.batch_tokens = batch_tokens
        self.notes = tuple(notes)
        widths = {side: self.tower(side).width for side in SIDES}
        if len(set(widths.values())) > 1:
            raise ModelError(
                f"{self.tower('query').name}: vectors of queries have {widths['query']} dimensions, those of passages "
                f"{widths['passage']}; expected as many"
            )
        self.width = widths["query"]

    @property
    def is_tied(self) -> bool:
        """Whether one model serves both sides."""
        return "both" in self.towers

    def tower(self, side: Side) -> Tower:
        """The model of a side."""
        found = self.towers["both" if self.is_tied else side]
        assert isinstance(found, Tower)
        return found

    def passage_text(self, passage: Passage) -> str:
        """What is embedded of a passage: title and text by the template, or its text where it has no title."""
        if not passage.title:
            return passage.text
        return self.template.format(title=passage.title, text=passage.text)

    def encode(self, texts: Sequence[str], *, side: Side, on_done: Advance | None = None) -> NDArray[np.float32]:
        """Vectors for search: without gradient and dropout, texts of about one length together.

        Args:
            texts: questions, or passages as `passage_text` has them; the side's prefix is put before them.
            side: which of the two they are.
            on_done: told how many texts are done, batch by batch.

        Returns:
            [text, width], in the order of `texts`.

        Raises:
            ModelError: a vector is not finite.
        """
        vectors = np.empty((len(texts), self.width), dtype=np.float32)
        for places, found in self.batches(texts, side=side):
            vectors[places] = found
            if on_done is not None:
                on_done(len(places))
        return vectors

    def batches(
        self, texts: Sequence[str], *, side: Side, known: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """As `encode`, a forward pass at a time, as they come; which texts share a pass does not depend on `known`.

        Args:
            texts: as for `encode`.
            side: as for `encode`.
            known: of which texts the vectors are known; passes of nothing else are left out. Of none, unless given.

        Yields:
            places in `texts`, and their vectors, [n, width].

        Raises:
            ModelError: a vector is not finite.
        """
        tower = self.tower(side)
        tokens = self._tokens(texts, side)
        max_tokens = self.batch_tokens or (_CPU_BATCH_TOKENS if tower.device.type == "cpu" else _GPU_BATCH_TOKENS)
        for places in batches_by_length([len(ids) for ids in tokens], max_tokens=max_tokens):
            if known is not None and known[places].all():
                continue
            with tower.evaluating():
                vectors = tower.vectors([tokens[place] for place in places]).cpu().numpy()
            _check_finite(vectors, places, texts, name=tower.name)
            yield places, vectors

    def embed(self, texts: Sequence[str], *, side: Side) -> Float[Tensor, "batch width"]:
        """Vectors to train on, in one forward pass: with gradient, and dropout where the encoder is in training mode.

        Args:
            texts: at least one, as for `encode`.
            side: which of the two they are.

        Returns:
            fp32, on the model's device, in the order of `texts`.
        """
        return self.tower(side).vectors(self._tokens(texts, side))

    def forward(self, texts: Sequence[str], side: Side) -> Float[Tensor, "batch width"]:
        """As `embed`: what a wrapper that gathers gradients calls."""
        return self.embed(texts, side=side)

    def trainable_parameters(self) -> list[nn.Parameter]:
        """What an optimiser is given: each weight once, none that is frozen, none that no vector depends on."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    def fingerprint(self, side: Side) -> str:
        """Names all that the vectors of a side depend on: weights, tokenizer, pooling, prefix, length, template.

        It reads every weight as it is now: a second for some 300 million of them.
        """
        template = self.template if side == "passage" else None
        form = json.dumps([asdict(self.formats[side]), template], sort_keys=True).encode("utf-8", "surrogatepass")
        return f"encoder:{blake2b(self.tower(side).digest() + form, digest_size=16).hexdigest()}"

    def save(self, folder: Path) -> None:
        """Writes the encoder in the layout of sentence-transformers; separate towers into `query/` and `passage/`.

        The folder appears whole. `load_encoder`, `SentenceTransformer` and `AutoModel.from_pretrained` (of a T5,
        `T5EncoderModel`) read it, or each of the two, and give equal vectors. A saved encoder that lies there is
        replaced.

        Raises:
            FolderError: the folder holds something else, or cannot be written.
        """
        with atomic_folder(folder) as new:
            places = {side: new if self.is_tied else new / side for side in SIDES}
            for place in dict.fromkeys(places.values()):
                formats = {side: self.formats[side] for side in SIDES if places[side] == place}
                write_tower(place, self.tower(next(iter(formats))), formats=formats, template=self.template)

    def _tokens(self, texts: Sequence[str], side: Side) -> list[NDArray[np.int32]]:
        form, tower = self.formats[side], self.tower(side)
        return [
            ids
            for start in range(0, len(texts), _TOKENIZED_AT_ONCE)
            for ids in tower.tokenize(
                [form.prefix + text for text in texts[start : start + _TOKENIZED_AT_ONCE]], max_len=form.max_len
            )
        ]


def load_encoder(
    source: ModelSource,
    *,
    passages: ModelSource | None = None,
    options: EncoderOptions | None = None,
    sides: Sequence[Side] = SIDES,
) -> Encoder:
    """An encoder from disk, the Hub, or by the name of an embedded one (`tiny:encoder`).

    Args:
        source: a folder of transformers or sentence-transformers, or one that `Encoder.save` wrote.
        passages: the encoder of passages, where that is another one (DPR); `source` is then that of queries.
        options: what wins over that which the folder says, and whether one model serves both sides.
        sides: what it will encode. A DPR encoder that is named alone encodes one side only.

    Raises:
        ModelError: no such model, not a text encoder, weights that are missing or not finite, a tokenizer that cannot
            pad, sentence-transformers modules that are not known here; or nobody says how a decoder is pooled.
        OptionError: a length beyond what the model was made for, quantisation or a device map.
    """
    options = options or EncoderOptions()
    parts = _parts(source, passages)
    role_of = {side: side if side in parts else "both" for side in SIDES}
    for side in sides:
        check_side(*parts[role_of[side]], side)
    towers = {role: load_tower(one, files, options=options) for role, (one, files) in parts.items()}
    if options.towers != "as-saved" and "both" in towers:
        parts, role_of = dict.fromkeys(SIDES, parts["both"]), {side: side for side in SIDES}
        towers = {"query": towers["both"], "passage": copy.deepcopy(towers["both"])}
    if options.towers == "query-only":
        towers["passage"].freeze()
    formats = {side: _format(side, towers[role], *parts[role], options=options) for side, role in role_of.items()}
    return Encoder(
        towers,
        formats,
        template=options.template or parts[role_of["passage"]][1].template or DEFAULT_TEMPLATE,
        batch_tokens=options.batch_tokens,
        notes=encoder_notes({side: parts[role] for side, role in role_of.items()}, formats, options=options),
    ).eval()


def _parts(source: ModelSource, passages: ModelSource | None) -> dict[str, tuple[ModelSource, EncoderFiles]]:
    """Where each tower comes from, and what is said of it, by its role."""
    folder = folder_of(source)
    if passages is None and not is_separate(folder):
        return {"both": (source, tower_files(source, folder))}
    named: dict[Side, ModelSource] = {"query": source, "passage": passages or source}
    places = {side: folder_of(one) for side, one in named.items()}
    return {
        side: (one, tower_files(one, places[side] / side if is_separate(places[side]) else places[side]))
        for side, one in named.items()
    }


def _format(
    side: Side, tower: Tower, source: ModelSource, files: EncoderFiles, *, options: EncoderOptions
) -> SideFormat:
    most = tower.context_len
    given = options.max_len(side)
    if given is not None and given > most:
        raise OptionError(f"{side}_len {given} is more than the {most} tokens that {source.written} was made for")
    prefix = options.prefix(side)
    max_len = given or files.max_lens.get(side) or int(tower.tokenizer.model_max_length)
    return SideFormat(files.prefixes.get(side, "") if prefix is None else prefix, min(max_len, most))


def _check_finite(vectors: NDArray[np.float32], places: NDArray[np.int64], texts: Sequence[str], *, name: str) -> None:
    broken = places[~np.isfinite(vectors).all(axis=1)]
    if len(broken):
        at = int(broken[0])
        raise ModelError(
            f"{name}: the vector of text {at} ({texts[at][:40]!r}) is not finite; if it was loaded as float16, take "
            "bfloat16 or float32"
        )
