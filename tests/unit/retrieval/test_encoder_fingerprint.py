"""What names a side's vectors: it changes with whatever they depend on, and with nothing else."""

import pytest
import torch
from encoder_cases import TEXTS, opened, save_bert

from elusive.retrieval.encoder_options import SIDES


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"))


def names(encoder):
    return tuple(encoder.fingerprint(side) for side in SIDES)


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"pooling": "cls"}, (True, True)),
        ({"normalize": True}, (True, True)),
        ({"query_prefix": "query: "}, (True, False)),
        ({"passage_prefix": "passage: "}, (False, True)),
        ({"query_len": 9}, (True, False)),
        ({"passage_len": 9}, (False, True)),
        ({"template": "{title}: {text}"}, (False, True)),
        ({"towers": "separate"}, (False, False)),
        ({"batch_tokens": 7}, (False, False)),
    ],
)
def test_it_changes_with_what_the_vectors_of_a_side_depend_on(bert, options, changes):
    before, after = names(opened(bert)), names(opened(bert, **options))
    assert tuple(one != other for one, other in zip(before, after, strict=True)) == changes


def test_one_bit_of_one_weight_changes_it_and_an_unused_weight_does_not(bert):
    encoder = opened(bert)
    before = names(encoder)
    model = encoder.tower("query").model
    with torch.no_grad():
        model.pooler.dense.weight += 1
        assert names(encoder) == before
        weight = model.encoder.layer[1].output.dense.weight
        weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(9.0))
    assert all(one != other for one, other in zip(names(encoder), before, strict=True))


def test_what_was_embedded_before_does_not_change_it(bert):
    encoder = opened(bert)
    before = names(encoder)
    encoder.encode(TEXTS, side="query")
    encoder.train().embed(TEXTS, side="passage")
    assert names(encoder) == before


def test_a_checkpoint_without_the_unused_pooler_has_one_name_at_each_loading(tmp_path):
    folder = save_bert(tmp_path, pooler=False)
    assert names(opened(folder)) == names(opened(folder))
