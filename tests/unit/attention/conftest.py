"""Fixtures of the attention room's tests: models on disk, loaded as users load them, once per session."""

from collections.abc import Callable

import pytest
from comparison import Loaded, load
from families import FAMILIES, save

from elusive.attention import hooks, layers


@pytest.fixture(scope="session")
def load_family(tmp_path_factory) -> Callable[[str], Loaded]:
    loaded: dict[str, Loaded] = {}

    def family_of(name: str) -> Loaded:
        if name not in loaded:
            family = FAMILIES[name]
            folder = save(family.config(), tmp_path_factory.mktemp(name))
            loaded[name] = load(name, family, folder)
        return loaded[name]

    return family_of


@pytest.fixture
def loaded(request, load_family) -> Loaded:
    """The family that a test is parametrised with (indirectly)."""
    return load_family(request.param)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch) -> None:
    """Chunks of a few dozen rows, so that texts of a few hundred tokens cross many."""
    monkeypatch.setitem(layers._CHUNK_ELEMENTS, "cpu", 37 * 4 * 240)
    monkeypatch.setattr(hooks, "_ROWS", 37)
