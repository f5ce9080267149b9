"""Memory limit of cached data, and memory-mapped arrays that worker processes can share."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

_GIB = 2**30
_SHARE = 0.25  # default fraction of the available memory
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Budget:
    """Memory limit that all cached arrays share.

    Parameters
    ----------
    gib
        The limit in GiB; None for a quarter of the machine's memory (or of the GPU's free memory).
    device
        Device of the arrays.
    """

    def __init__(self, gib: float | None, device: torch.device) -> None:
        self._left = int(_SHARE * _memory(device) if gib is None else gib * _GIB)

    def take(self, size: int) -> bool:
        """Reserve `size` bytes and return True, or return False if fewer are left."""
        fits = size <= self._left
        if fits:
            self._left -= size
        return fits


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        from torch.cuda import mem_get_info

        return int(mem_get_info(device)[0])
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:  # cluster jobs and containers may have a lower limit than the machine
        return min(machine, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return machine


class MappedArray:
    """A wrapper of a memory-mapped array that pickles as the path of its file instead of its content."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        array = self.array
        # a view has the `offset` and `filename` of its base array, so only whole maps can be reopened
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.flags.c_contiguous:
            return _open_map, (str(array.filename), array.dtype.str, array.offset, array.shape)
        return MappedArray, (np.asarray(array),)


def _open_map(name: str, dtype: str, offset: int, shape: tuple[int, ...]) -> MappedArray:
    return MappedArray(np.memmap(name, dtype=dtype, mode="r", offset=offset, shape=shape))
