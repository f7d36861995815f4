"""Parts written by several processes that begin and end with their parent."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from elusive.clues.counts import PartCounts
from elusive.clues.writing import PartWriter
from elusive.errors import ElusiveError


def write_parts(writer: PartWriter, indices: list[int], *, workers: int) -> Iterator[PartCounts]:
    """Write parts, in any order; what each counted, in the order of `indices`.

    Raises:
        ElusiveError: a worker was killed.
    """
    if workers == 1 or len(indices) < 2:
        yield from map(writer.write, indices)
        return
    # Spawned, not forked: the parent has threads of torch and tokenizers.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_the_parent)
    try:
        with _ctrl_c_for_the_parent_alone():
            written = pool.map(writer.write, indices)
        yield from written
    except BrokenProcessPool as error:
        raise ElusiveError(
            "a worker was killed, perhaps for want of memory; run the same command again with fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_the_parent() -> None:
    """A worker whose parent is killed outright would wait for work for ever, or write into the next run's folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


@contextlib.contextmanager
def _ctrl_c_for_the_parent_alone() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C: the parent ends them, and nobody prints a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only there can signals be handled
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
