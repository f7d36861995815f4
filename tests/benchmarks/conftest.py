"""The benchmarks import each other as scripts of one folder."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
MODULES = ("scoring", "agreement", "gate_predicts", "tiny_rag")


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[SimpleNamespace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TRANSFORMERS_VERBOSITY"):
            patch.setenv(name, "1" if name.endswith("THREADS") else "error")  # what the scripts set, and leave set
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)
