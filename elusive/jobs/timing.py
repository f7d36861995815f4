"""How long the stages of a job take."""

import contextlib
import time
from collections.abc import Iterator, MutableMapping


@contextlib.contextmanager
def timed(seconds: MutableMapping[str, float], stage: str) -> Iterator[None]:
    """Note the seconds that a block takes under the name of its stage; of one that fails, nothing."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
