"""One model among several may fail without ending the job."""

import contextlib
from collections.abc import Iterator, MutableMapping
from typing import TypeVar

from elusive.errors import ElusiveError, FolderError
from elusive.models import free_memory
from elusive.progress import Progress

_FAULT_LEN = 300
Key = TypeVar("Key")


@contextlib.contextmanager
def tolerating(name: str, faults: MutableMapping[Key, str], *, key: Key, progress: Progress) -> Iterator[None]:
    """What goes wrong with one model is its fault, noted and said; a folder that cannot be written is everybody's.

    Args:
        name: of the model, for what torch says without one.
        faults: where the fault goes.
        key: under which key.
        progress: where it is said.
    """
    try:
        yield
    except FolderError:
        raise
    except ElusiveError as error:
        fault = str(error)
    except (RuntimeError, MemoryError) as error:  # torch's own, out of memory among them
        fault = f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:_FAULT_LEN]}"
    else:
        return
    free_memory()  # only now that the error is gone does nothing hold the model
    faults[key] = fault
    progress.say(f"left out: {fault}")
