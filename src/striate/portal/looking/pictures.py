"""The images of a recording: each one once, as thumbnails on sheets, with its mean and its contrast."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from striate.portal.looking.orders import tier_codes
from striate.recordings import Recording
from striate.recordings.pictures import channel_pictures, picture

ACROSS, DOWN = 8, 6  # thumbnails of a sheet
_WIDEST = 96  # pixels of a thumbnail


@dataclass(frozen=True, eq=False)
class Pictures:
    """The distinct images, tier by tier, each by ascending id.

    Attributes
    ----------
    tier : (I,)
        Of each: a position among the tiers of the benchmark.
    ids
        Of each.
    shown : (I,)
        In how many trials.
    of_trial : (T,)
        Which one each trial showed.
    first : (I,)
        A trial that showed it.
    mean, contrast : (I,)
        Mean and standard deviation of its pixel values.
    channel_mean, channel_contrast : (C, I)
        The same of each channel.
    """

    tier: NDArray[np.uint8]
    ids: list[Any]
    shown: NDArray[np.uint16]
    of_trial: NDArray[np.int32]
    first: NDArray[np.intp]
    mean: NDArray[np.float32]
    contrast: NDArray[np.float32]
    channel_mean: NDArray[np.float32]
    channel_contrast: NDArray[np.float32]


def pictures(recording: Recording) -> Pictures:
    """Find the distinct images of a recording."""
    trials = pd.DataFrame({"tier": tier_codes(recording), "image": recording.trials["image_id"].to_numpy()})
    grouped = trials.groupby(["tier", "image"], sort=True)
    of_trial = grouped.ngroup().to_numpy().astype(np.int32)
    first = np.full(grouped.ngroups, len(trials), dtype=np.intp)
    np.minimum.at(first, of_trial, np.arange(len(trials)))
    mean, contrast = np.empty(len(first), np.float32), np.empty(len(first), np.float32)
    channels = recording.benchmark.image_channels
    channel_mean, channel_contrast = (np.empty((channels, len(first)), np.float32) for _ in range(2))
    for number, row in enumerate(first):
        image = np.asarray(recording.images[row], dtype=np.float64)
        mean[number], contrast[number] = image.mean(), image.std()
        channel_mean[:, number], channel_contrast[:, number] = image.mean(axis=(1, 2)), image.std(axis=(1, 2))
    return Pictures(
        trials["tier"].to_numpy(np.uint8)[first],
        trials["image"].iloc[first].tolist(),
        np.bincount(of_trial, minlength=len(first)).clip(max=2**16 - 1).astype(np.uint16),
        of_trial,
        first,
        mean,
        contrast,
        channel_mean,
        channel_contrast,
    )


def thumbnail_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of thumbnails: those of the images, or smaller."""
    scale = min(1.0, _WIDEST / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def write_sheets(folder: Path, recording: Recording, found: Pictures) -> dict[str, int]:
    """Write ``images-TIER-N.png``, and return how many images each tier has.

    The images of a tier follow each other from left to right, then down, then on the next sheet. Images of several channels are
    in the colours of `striate.recordings.pictures.channel_colours`; ``images-TIER-N-CHANNEL.png`` has one channel of the same
    images, in grey.
    """
    size = thumbnail_size(*recording.image_shape)
    stimulus, counts = recording.benchmark.stimulus, {}
    for code, tier in enumerate(recording.benchmark.tier_order):
        of_tier = found.first[found.tier == code]
        if not len(of_tier):
            continue
        counts[tier] = len(of_tier)
        for number, rows in enumerate(_parts(of_tier)):
            images = [np.asarray(recording.images[row]) for row in rows]
            _save(folder / f"images-{tier}-{number}.png", [picture(each, stimulus) for each in images], size)
            if len(stimulus.channels) > 1:
                apart = [channel_pictures(each, stimulus) for each in images]
                for channel in range(len(stimulus.channels)):
                    file = folder / f"images-{tier}-{number}-{channel}.png"
                    _save(file, [each[channel] for each in apart], size)
    return counts


def _parts(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), ACROSS * DOWN):
        yield rows[start : start + ACROSS * DOWN]


def _save(file: Path, pixels: list[NDArray[np.uint8]], size: tuple[int, int]) -> None:
    height, width = size
    sheet = Image.new("L" if pixels[0].ndim == 2 else "RGB", (ACROSS * width, -(-len(pixels) // ACROSS) * height))
    for number, each in enumerate(pixels):
        image = Image.fromarray(each).resize((width, height), Image.Resampling.BOX)
        sheet.paste(image, (number % ACROSS * width, number // ACROSS * height))
    sheet.save(file, optimize=False)
