"""Keeping freed memory: what is freed is used again, and given back in the end."""

import subprocess
import sys

import pytest

# in a process of its own: what other tests allocated decides what the C library has at hand
_CODE = """
import resource
import numpy as np
from striate.models.kernels import freed_memory_kept

def page_faults(blocks):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(blocks):
        np.empty(10_000_000).fill(1)  # 80 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = page_faults(5)
with freed_memory_kept():
    with freed_memory_kept():  # a prediction within a training
        page_faults(1)
    kept = page_faults(5)
print(usual, kept, page_faults(5))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library is not glibc")
def test_freed_memory_is_used_again() -> None:
    """Counts pages that the system had to fetch for blocks that are made and freed one after another."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    usual, kept, after = map(int, done.stdout.split())
    assert kept < usual / 3
    assert after > usual / 2  # as it was
