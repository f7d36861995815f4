"""Which kind suits how many vectors, and that settings which make no sense are said."""

import itertools
from typing import Any

import pytest

from elusive.errors import OptionError
from elusive.retrieval.index_kinds import FLAT_MAX, FP16_MAX, SQ8_MAX, IndexOptions
from tests.unit.retrieval.index_cases import KINDS


@pytest.mark.parametrize(
    ("n", "kind"),
    [
        (1, "flat"),
        (FLAT_MAX, "flat"),
        (FLAT_MAX + 1, "sqfp16"),
        (FP16_MAX, "sqfp16"),
        (FP16_MAX + 1, "ivf-sq8"),
        (21_015_324, "ivf-sq8"),
        (SQ8_MAX + 1, "ivf-pq"),
    ],
)
def test_auto_goes_by_the_number_of_vectors(n: int, kind: str) -> None:
    assert IndexOptions().layout(n, 768).kind == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [256, 5000, 10**6, 21_015_324])
def test_every_vector_is_in_one_shard_and_one_part(n: int, kind: str) -> None:
    layout = IndexOptions(kind=kind).layout(n, 768)
    for ranges in (list(layout.shards()), list(layout.parts())):
        assert ranges[0][0] == 0
        assert ranges[-1][1] == n
        assert all(before[1] == after[0] for before, after in itertools.pairwise(ranges))
    begins = {start for start, _ in layout.shards()}
    assert {start for start, _ in layout.parts()} <= begins


@pytest.mark.parametrize("kind", KINDS)
def test_memory_to_build_does_not_grow_with_the_vectors(kind: str) -> None:
    few, many = (IndexOptions(kind=kind).layout(n, 768).build_bytes for n in (10**7, 10**8))
    assert many <= few * 1.01 < 3 * 2**30


@pytest.mark.parametrize("kind", ["ivf-sq8", "ivf-pq"])
@pytest.mark.parametrize("n", [256, 300, 5000, 10**6])
def test_defaults_suit_any_number_of_vectors(n: int, kind: str) -> None:
    layout = IndexOptions(kind=kind).layout(n, 96)
    assert 1 <= layout.nprobe <= layout.nlist <= layout.training_len <= n
    assert kind == "ivf-sq8" or 96 % layout.m == 0


@pytest.mark.parametrize(("width", "m"), [(768, 96), (128, 16), (100, 10), (7, 1), (13, 1)])
def test_the_bytes_of_a_product_code_divide_the_width(width: int, m: int) -> None:
    assert IndexOptions(kind="ivf-pq").layout(1000, width).m == m


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"kind": "ivfsq8"}, "kind 'ivfsq8' is not known; did you mean 'ivf-sq8'"),
    "lists of flat": ({"kind": "flat", "nlist": 4}, "nlist has no meaning for kind flat, which was asked for"),
    "probes of auto": ({"nprobe": 4}, "nprobe has no meaning for kind flat, which auto takes for 1,000 vectors"),
    "m of sq8": ({"kind": "ivf-sq8", "m": 4}, "m has no meaning for kind ivf-sq8"),
    "lists": ({"kind": "ivf-sq8", "nlist": 1001}, "nlist is 1,001 and there are 1,000 vectors"),
    "m": ({"kind": "ivf-pq", "m": 5}, "m is 5 and vectors have 16 numbers; expected a divisor"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_setting_that_makes_no_sense_is_said(case: str) -> None:
    options, words = WRONG[case]
    with pytest.raises(OptionError, match=words):
        IndexOptions(**options).layout(1000, 16)


def test_product_codes_need_256_vectors() -> None:
    with pytest.raises(OptionError, match="256 vectors at least, and there are 255; take kind flat"):
        IndexOptions(kind="ivf-pq").layout(255, 16)
