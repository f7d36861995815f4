"""One model that turns tokens into vectors: transformer, pooling, Dense layers, normalisation.

Padding always goes right, whatever the tokenizer says, and the mask says where a text ends. So no position needs
correcting, a text's vector does not depend on what it is beside, and `last` finds the last token. Pooling and all after
it are in fp32. Knows no sides: what a query or a passage is, is said by `encoder`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from elusive.choices import Pooling
from elusive.errors import ModelError
from elusive.models import context_len
from elusive.retrieval.encoder_dense import Dense
from elusive.retrieval.pooling import pool
from elusive.types import Bool, Float, Int, Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

UNUSED: Final = "pooler."
"""Weights that BERT and its kin carry behind their states; no vector depends on them."""

_SHORT: Final = 8
_VOLATILE: Final = frozenset({"_name_or_path", "transformers_version", "architectures", "dtype", "use_cache"})


class Tower(nn.Module):
    """A model with its tokenizer, and how its states become a vector.

    Args:
        model: an encoder, or a decoder without its head.
        tokenizer: its tokenizer; truncation is set by each call.
        pooling: the ways whose vectors are joined.
        dense: layers after the pooling.
        normalize: vectors of length 1.
        lower_case: whether the tokenizer was made to lower case; remembered for saving.
        name: what messages call it.

    Raises:
        ModelError: a model without hidden states, or vectors that are not finite.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        *,
        pooling: Sequence[Pooling],
        dense: Iterable[Dense],
        normalize: bool,
        lower_case: bool,
        name: str,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.pooling = tuple(pooling)
        self.dense = nn.ModuleList(dense)
        self.normalize = normalize
        self.lower_case = lower_case
        self.name = name
        self.frozen = False
        for weight_name, weight in model.named_parameters():
            weight.requires_grad_(weight.requires_grad and not weight_name.startswith(UNUSED))
        self.width = self._width()

    def forward(
        self, ids: Int[Tensor, "batch token"], mask: Bool[Tensor, "batch token"]
    ) -> Float[Tensor, "batch width"]:
        """The fp32 vectors of padded texts.

        Args:
            ids: token ids, padding right.
            mask: which of them are real.
        """
        states = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        vectors = torch.cat([pool(states, mask, kind) for kind in self.pooling], dim=-1)
        for layer in self.dense:
            vectors = layer(vectors)
        return F.normalize(vectors.float(), dim=-1) if self.normalize else vectors.float()

    def tokenize(self, texts: Sequence[str], *, max_len: int) -> list[NDArray[np.int32]]:
        """Token ids of each text with special tokens, at most `max_len`, at least one."""
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=max_len,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        # Of an empty text some tokenizers make nothing at all; a row of nothing but padding has no vector.
        rows = [np.asarray(ids or [self.pad_id], dtype=np.int32) for ids in encoded["input_ids"]]
        if beyond := next((int(ids.max()) for ids in rows if ids.max() >= self.n_ids), None):
            raise ModelError(
                f"{self.name}: its tokenizer gives the id {beyond} ({self.tokenizer.convert_ids_to_tokens(beyond)!r}), "
                f"and its embedding has {self.n_ids:,} rows; expected the tokenizer that it was trained with"
            )
        return rows

    def vectors(self, tokens: Sequence[NDArray[np.int32]]) -> Float[Tensor, "batch width"]:
        """The vectors of tokenised texts in one forward pass, padded to the longest; with gradient where it is on."""
        lengths = torch.tensor([len(ids) for ids in tokens])
        ids = np.full((len(tokens), int(lengths.max())), self.pad_id, dtype=np.int64)
        for row, text in zip(ids, tokens, strict=True):
            row[: len(text)] = text
        mask = torch.arange(ids.shape[1])[None] < lengths[:, None]
        vectors: Tensor = self(torch.from_numpy(ids).to(self.device), mask.to(self.device))
        return vectors

    @property
    def n_ids(self) -> int:
        """Rows of the embedding."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    @property
    def pad_id(self) -> int:
        """What fills a row up; of one that was added to the tokenizer alone, the first id does as well."""
        own = int(self.tokenizer.pad_token_id)
        return own if own < self.n_ids else 0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.device
        return device

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Without dropout and gradient inside the block, and as before after it."""
        before = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(before)

    @property
    def context_len(self) -> int:
        """The most tokens of a text.

        RoBERTa and its kin count positions from the one after their padding's, so that they have fewer than their
        config says.
        """
        tables = (part for name, part in self.model.named_modules() if name.endswith("position_embeddings"))
        places = [
            table.num_embeddings - 1 - table.padding_idx
            for table in tables
            if isinstance(table, nn.Embedding) and table.padding_idx is not None
        ]
        return min([context_len(self.model.config), *places])

    @property
    def dense_layers(self) -> list[Dense]:
        """The layers after the pooling."""
        return [layer for layer in self.dense if isinstance(layer, Dense)]

    @property
    def pooled_width(self) -> int:
        """The length of a vector before them."""
        return self.dense_layers[0].linear.in_features if self.dense_layers else self.width

    def freeze(self) -> None:
        """From now on its weights stay as they are, and dropout stays off."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """As for any module; a frozen tower stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def digest(self) -> bytes:
        """A hash of all that its vectors depend on: weights, config, tokenizer, pooling. Reads every weight."""
        digest = blake2b(digest_size=16)
        # The difference from what is usual: another version of transformers has more keys, and an index stays good.
        config = {key: value for key, value in self.model.config.to_diff_dict().items() if key not in _VOLATILE}
        state = json.loads(self.tokenizer.backend_tokenizer.to_str())
        tokenizer = {part: state[part] for part in state if part not in ("padding", "truncation")}
        layers = [layer.kind for layer in self.dense_layers]
        what = [config, tokenizer, self.tokenizer.pad_token_id, self.pooling, layers, self.normalize]
        digest.update(json.dumps(what, sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
        for name, weight in sorted(self.state_dict().items()):
            if not name.startswith(f"model.{UNUSED}"):
                digest.update(f"{name}\0{weight.dtype}\0{tuple(weight.shape)}".encode())
                digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.digest()

    def _width(self) -> int:
        """The length of a vector, by making one."""
        try:
            with self.evaluating():
                vector = self.vectors(self.tokenize(["a"], max_len=_SHORT))[0]
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
            line = next(iter(str(error).splitlines()), type(error).__name__)
            raise ModelError(f"{self.name}: it makes no vector of a text ({line}); expected a text encoder") from error
        if not vector.isfinite().all():
            raise ModelError(
                f"{self.name}: its vectors are not finite; load it as float32 or bfloat16, or take another"
            )
        return len(vector)
