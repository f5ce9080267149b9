"""How much prepared data may stay in memory, and how mapped arrays reach the processes that read them."""

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
_SHARE = 0.25  # of the memory, if the user names no limit
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Budget:
    """Memory that prepared arrays may take together.

    Parameters
    ----------
    gib
        The limit in GiB; None for a quarter of the machine's memory (or of the GPU's free memory).
    device
        Where the arrays shall stay.
    """

    def __init__(self, gib: float | None, device: torch.device) -> None:
        self._left = int(_SHARE * _memory(device) if gib is None else gib * _GIB)

    def take(self, size: int) -> bool:
        """Take `size` bytes if that many are left."""
        fits = size <= self._left
        if fits:
            self._left -= size
        return fits


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        from torch.cuda import mem_get_info

        return int(mem_get_info(device)[0])
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:  # a job of a cluster, or a container, may be allowed less than the machine has
        return min(machine, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return machine


class MappedArray:
    """An array that another process maps from its file again instead of receiving a copy of its content."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        array = self.array
        # `offset` and `filename` of a view are those of the array that it views, so only a whole map is mapped again
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.flags.c_contiguous:
            return _map_again, (str(array.filename), array.dtype.str, array.offset, array.shape)
        return MappedArray, (np.asarray(array),)


def _map_again(name: str, dtype: str, offset: int, shape: tuple[int, ...]) -> MappedArray:
    return MappedArray(np.memmap(name, dtype=dtype, mode="r", offset=offset, shape=shape))
