"""The cross-attention of encoder-decoders: equal to its definition, padded or not, and left as it was."""

import pytest
import torch
import transformers as tf
from answering_cases import values
from families import PAD, VOCABULARY, text
from torch import Tensor
from transformers import PreTrainedModel

from elusive.attention import oracle
from elusive.attention.answering import AnswerAttention, Encoded, watch_answers
from elusive.attention.live import evaluating
from elusive.errors import ModelError

TOLERANCE = 1e-5
READ, SHORT_READ = text(70, seed=80), text(41, seed=81)
WRITTEN, ROWS = text(9, seed=82), range(2, 6)
_IDS = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "eos_token_id": 1, "decoder_start_token_id": 0}

KINDS = {
    "t5": lambda: tf.T5ForConditionalGeneration(
        tf.T5Config(**_IDS, d_model=64, d_kv=16, d_ff=64, num_layers=2, num_decoder_layers=3, num_heads=4)
    ),
    "bart": lambda: tf.BartForConditionalGeneration(
        tf.BartConfig(
            **_IDS,
            bos_token_id=0,
            d_model=64,
            encoder_layers=2,
            decoder_layers=3,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=128,
        )
    ),
}
both = pytest.mark.parametrize("kind", KINDS)


def built(kind: str) -> PreTrainedModel:
    torch.manual_seed(3)
    model = KINDS[kind]().eval()
    for name, weight in model.named_parameters():
        if weight.ndim > 1 and "shared" not in name:
            weight.data *= {"t5": 2.0, "bart": 10.0}[kind]
    return model


def encoded(model: PreTrainedModel, *texts: list[int]) -> Encoded:
    longest = max(map(len, texts))
    ids = torch.tensor([[*t, *[PAD] * (longest - len(t))] for t in texts])
    real = torch.arange(longest) < torch.tensor([len(t) for t in texts])[:, None]
    with torch.no_grad():
        states = model.get_encoder()(input_ids=ids, attention_mask=real.long()).last_hidden_state
    return Encoded(states, real)


def answering(model: PreTrainedModel, *texts: list[int], **options: object) -> AnswerAttention:
    with evaluating(model):
        read = encoded(model, *texts)
    with watch_answers(model, **options) as probe:
        ids = torch.tensor([WRITTEN] * len(texts))
        return probe(ids, [ROWS] * len(texts), encoded=read)


@torch.no_grad()
def by_definition(kind: str, read: list[int]) -> tuple[Tensor, Tensor, float]:
    """Cross-attention [layer, head, query, token], scores [layer, head, token], and the largest norm of a value."""
    model = built(kind)
    model.set_attn_implementation("eager")
    seen = []

    def run() -> None:
        inputs = {"input_ids": torch.tensor([read]), "decoder_input_ids": torch.tensor([WRITTEN])}
        seen.append(model(**inputs, output_attentions=True, use_cache=False).cross_attentions)

    found = values(model, kind, run)
    attention = torch.stack([layer[0] for layer in seen[0]])
    scores = oracle.answering_by_definition(attention, found, rows=ROWS)
    return attention, torch.tensor(scores), float(torch.tensor(found).norm(dim=-1).max())


@both
def test_equals_the_definition_in_a_padded_batch(kind):
    found = answering(built(kind), SHORT_READ, READ).scores
    for place, read in enumerate((SHORT_READ, READ)):
        _, wanted, largest = by_definition(kind, read)
        assert wanted.shape[:2] == (3, 4)
        assert wanted.max() / largest > 0.1, "the test needs peaked attention"
        assert (found[place, ..., : len(read)] - wanted).abs().max() / largest <= TOLERANCE
        assert not found[place, ..., len(read) :].any(), "padding is attended to by no row"


@both
def test_chosen_layers_and_heads_are_taken_without_values(kind):
    found = answering(built(kind), READ, values=False, layers=[2], heads=[0]).scores[0]
    wanted = by_definition(kind, READ)[0][2:, :1, list(ROWS)].mean(2)
    assert (found - wanted).abs().max() <= TOLERANCE


@both
def test_logits_are_the_products_before_the_softmax(kind):
    found = answering(built(kind), READ, SHORT_READ, logits=True).logits[0]
    wanted = by_definition(kind, READ)[0][:, :, ROWS[0]]
    assert (found.softmax(-1) - wanted).abs().max() <= TOLERANCE
    assert found.std() > 0.5


@both
def test_the_model_is_afterwards_as_before(kind):
    model = built(kind).train()
    before = [(p.training, len(p._forward_hooks)) for p in model.modules()]
    implementations = [p.config._attn_implementation for p in model.modules() if isinstance(p, PreTrainedModel)]
    answering(model, READ)
    assert [(p.training, len(p._forward_hooks)) for p in model.modules()] == before
    after = [p.config._attn_implementation for p in model.modules() if isinstance(p, PreTrainedModel)]
    assert after == implementations == ["sdpa"] * len(after)


@both
def test_nan_weights_are_refused(kind):
    model = built(kind)
    queries = [w for n, w in model.named_parameters() if "encoder_attn.q" in n or "EncDecAttention.q" in n]
    queries[0].data[0, 0] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        answering(model, READ)
