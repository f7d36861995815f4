"""What every test runs under: one torch thread, no network, and the shapes of tensors checked."""

import os
from collections.abc import Iterator

import jaxtyping
import pytest

# In the environment, so that it holds for child processes too; torch and transformers read it when first imported.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}

# Users pay nothing for the shape annotations; here every call is held to them. Before the first import of the rooms.
jaxtyping.install_import_hook(
    [
        "elusive.attention",
        "elusive.indicators.similarity",
        "elusive.retrieval.encoder_dense",
        "elusive.retrieval.pooling",
    ],
    "beartype.beartype",
)


@pytest.fixture
def shapes_unchecked() -> Iterator[None]:
    """Without the shape checks, as users run: for tests of the messages that users get instead."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
