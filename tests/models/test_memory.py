"""Keeping freed memory: what is freed is used again, and given back in the end."""

import resource
import sys

import numpy as np
import pytest

from striate.models.ops import freed_memory_kept


def page_faults(blocks: int) -> int:
    """Pages that the system had to fetch for blocks that are made and freed one after another."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(blocks):
        np.empty(10_000_000).fill(1)  # 80 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library is not glibc")
def test_freed_memory_is_used_again() -> None:
    usual = page_faults(5)
    with freed_memory_kept():
        with freed_memory_kept():  # a prediction within a training
            page_faults(1)
        kept = page_faults(5)
    assert kept < usual / 3
    assert page_faults(5) > usual / 2  # as it was
