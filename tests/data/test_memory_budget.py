"""The bound on what stays in memory."""

import os

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.memory_budget import Budget

CPU = torch.device("cpu")


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 500)))
def test_what_is_taken_never_exceeds_the_limit_and_what_fits_is_given(limit: int, sizes: list[int]) -> None:
    budget = Budget(limit / 2**30, CPU)
    taken = 0
    for size in sizes:
        fits = taken + size <= limit
        assert budget.take(size) == fits
        taken += size * fits


def test_without_a_limit_a_part_of_the_machine_may_be_taken() -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert not Budget(None, CPU).take(machine // 3)
    assert Budget(None, CPU).take(2**20)
