"""Leaks planted one by one into a copy of a small competition: what an organiser might get wrong."""

from tests.competition.planted import files, images, numbers, order, packed, secrets, seeds, withheld, zips
from tests.competition.planted.plot import Planted, Plot, altered

PLANTED: Planted = {}
for _kind in (withheld, order, numbers, packed, seeds, zips, files, images, secrets):
    PLANTED |= _kind.PLANTED

__all__ = ["PLANTED", "Planted", "Plot", "altered"]
