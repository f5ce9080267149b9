"""Stimuli: images by formula (gratings, Gabors, noise, dead leaves) and natural-like pictures made of them.

Patterns are float32 arrays of shape (height, width) around zero; `to_grey` turns them into the 8-bit grey
pictures that recordings hold. Positions are in pixels, x to the right and y downwards; orientations are those
of the stripes, in degrees counter-clockwise from horizontal. What is random takes a
`numpy.random.Generator`: the same state gives the same image.
"""

from striate.stimuli.dead_leaves import dead_leaves
from striate.stimuli.gratings import gabor, grating
from striate.stimuli.grayscale import GREY_MEAN, GREY_STD, standardise, to_grey
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
