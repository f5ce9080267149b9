"""Stimuli: images computed from formulas (gratings, Gabors, noise, dead leaves) and natural-like images made of them.

Patterns are float32 arrays of shape (height, width) with values around zero; `to_grey` converts them to the 8-bit grey
values of recordings. Positions are in pixels, x to the right and y downwards. Orientations are the orientations of the
stripes, in degrees counter-clockwise from horizontal. Random stimuli take a `numpy.random.Generator`: generators in the
same state give the same image.
"""

from striate.stimuli.dead_leaves import dead_leaves
from striate.stimuli.gratings import gabor, grating
from striate.stimuli.greyscale import GREY_MEAN, GREY_STD, standardise, to_grey
from striate.stimuli.natural import NATURAL_LIKE_KINDS, natural_like
from striate.stimuli.noise import pink_noise, power_law_noise, white_noise

__all__ = [
    "GREY_MEAN",
    "GREY_STD",
    "NATURAL_LIKE_KINDS",
    "dead_leaves",
    "gabor",
    "grating",
    "natural_like",
    "pink_noise",
    "power_law_noise",
    "standardise",
    "to_grey",
    "white_noise",
]
