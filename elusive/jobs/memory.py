"""How much memory a stretch of work takes: of the GPUs where it runs there, else of the process.

The process's own peak only ever grows, so a second model's would hide behind the first's. Linux lets it be reset;
elsewhere only what goes beyond all earlier peaks is seen.
"""

import contextlib
import ctypes
from pathlib import Path

from elusive.jobs.record import peak_bytes

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"


class MemoryGauge:
    """Memory taken since it was made; what was taken before does not count."""

    def __init__(self) -> None:
        self._gpu_before = _gpu_bytes_afresh()
        self._before = _resident_bytes_afresh()

    @property
    def peak_bytes(self) -> int:
        """The largest memory since then: of all GPUs together, else of the process."""
        import torch

        on_gpus = sum(max(0, torch.cuda.max_memory_allocated(i) - n) for i, n in enumerate(self._gpu_before))
        return on_gpus or max(0, (_status_bytes("VmHWM") or peak_bytes()) - self._before)


def _gpu_bytes_afresh() -> list[int]:
    """What is taken on each GPU, whose peak begins anew; opens no context."""
    import torch

    devices = range(torch.cuda.device_count())
    if torch.cuda.is_initialized():  # else there are no peaks, and torch refuses to reset them
        for i in devices:
            torch.cuda.reset_peak_memory_stats(i)
    return [torch.cuda.memory_allocated(i) for i in devices]


def _resident_bytes_afresh() -> int:
    """What the process holds, its peak beginning anew; where that cannot be, the peak so far."""
    with contextlib.suppress(OSError, AttributeError):
        # What an earlier model left in the allocator's hands would be taken from there, and look like nothing.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return peak_bytes()
    return _status_bytes("VmRSS") or peak_bytes()


def _status_bytes(name: str) -> int | None:
    """A figure of the kernel on this process; None on systems that do not tell."""
    try:
        lines = (_PROCESS / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)
