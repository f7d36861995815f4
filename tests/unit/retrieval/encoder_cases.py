"""Tiny encoders on disk: BERTs as Contriever is saved, decoders, and folders of sentence-transformers, by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from elusive.models import ModelSource
from elusive.retrieval.encoder import Encoder, load_encoder
from elusive.retrieval.encoder_options import EncoderOptions
from tests.tiny import WORDS

TEXTS = ["Mara Velting was born in Orsk", "keys", "not one of her letters survived The archive lists a map", "Mara"]
CONTEXT = 32


def words_tokenizer() -> PreTrainedTokenizerFast:
    """A word is a token; [CLS] before, [SEP] after, as BERT has them."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: i for i, word in enumerate([*specials, *sorted(set(WORDS.replace(".", "").split())), "query:"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def save_bert(
    folder: Path, *, seed: int = 0, width: int = 32, dropout: float = 0.0, pooler: bool = True, **tokenizer: Any
) -> Path:
    """A random BERT and its tokenizer; `tokenizer` sets attributes of the latter."""
    torch.manual_seed(seed)
    words = words_tokenizer()
    for name, value in tokenizer.items():
        setattr(words, name, value)
    config = BertConfig(
        vocab_size=64,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
        initializer_range=0.3,
    )
    BertModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def as_sentence_transformers(
    folder: Path,
    *,
    kinds: tuple[str, ...] = ("Transformer", "Pooling"),
    pooling: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    transformer: dict[str, Any] | None = None,
) -> Path:
    """Adds the files of sentence-transformers to a model's folder; it compares by dot product unless `settings` say."""
    paths = [f"{number}_{kind}" if number else "" for number, kind in enumerate(kinds)]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    files = {
        "modules.json": modules,
        "config_sentence_transformers.json": {"similarity_fn_name": "dot", **(settings or {})},
    }
    files |= {"sentence_bert_config.json": transformer or {"max_seq_length": 16, "do_lower_case": False}}
    for path in paths[1:]:
        (folder / path).mkdir(exist_ok=True)
        given = pooling or {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
        files[f"{path}/config.json"] = {"word_embedding_dimension": 32, **given} if "Pooling" in path else {}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def opened(folder: Path | str, **options: Any) -> Encoder:
    """The encoder in a folder."""
    return load_encoder(ModelSource(name=str(folder), device="cpu"), options=EncoderOptions(**options))


def states_of(folder: Path, text: str, *, max_len: int = CONTEXT) -> torch.Tensor:
    """The last hidden states of one text alone, [token, width], by transformers."""
    ids = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=max_len, return_tensors="pt")
    with torch.no_grad():
        return AutoModel.from_pretrained(folder).eval()(input_ids=ids.input_ids).last_hidden_state[0]


def close(one: Any, other: Any, *, within: float = 1e-6) -> bool:
    """Equal up to rounding, for vectors of about length 1."""
    return bool(np.allclose(np.asarray(one), np.asarray(other), rtol=within, atol=5 * within))
