"""Images without measured responses, for distillation: from files, of recordings, or generated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate._internal.paths import expand_path
from striate._internal.progress_bars import progress_bar
from striate.benchmarks.spec_tables import Stimulus
from striate.catalog import as_recording
from striate.data.raw_images import SUFFIXES, RawImages, model_images, screen_sized
from striate.data.subsets import seed_sequence
from striate.errors import InputError, listed
from striate.stimuli import dead_leaves, natural_like, pink_noise, to_grey, white_noise

if TYPE_CHECKING:
    from striate.data import Standardisation
    from striate.recordings import Recording

Array = NDArray[Any]
Generator = Callable[[tuple[int, int], np.random.Generator], NDArray[np.uint8]]

# name -> function of the shape and a random generator that returns grey values 0–255
GENERATORS: dict[str, Generator] = {
    "natural_like": lambda shape, rng: natural_like(shape, rng)[0],
    "dead_leaves": lambda shape, rng: to_grey(dead_leaves(shape, rng)),
    "pink_noise": lambda shape, rng: to_grey(pink_noise(shape, rng)),
    "white_noise": lambda shape, rng: to_grey(white_noise(shape, rng)),
}
_GREY = 255.0


class ImagePool:
    """Raw images of one or several sizes, from which batches of inputs are made.

    Parameters
    ----------
    parts
        Arrays (T, C, H, W) of raw pixel values.

    Examples
    --------
    >>> pool = ImagePool([np.zeros((3, 1, 36, 64), np.uint8), np.ones((2, 1, 18, 32), np.uint8)])
    >>> len(pool)
    5
    """

    def __init__(self, parts: Sequence[Array]) -> None:
        self.parts = [part for part in parts if len(part)]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def inputs(self, positions: NDArray[np.int64], size: tuple[int, int], standardisation: Standardisation) -> Tensor:
        """Return the images at some positions, rescaled and standardised, (B, C, *size)."""
        channels = self.parts[0].shape[1]
        images = torch.empty((len(positions), channels, *size))
        first = 0
        for part in self.parts:
            here = (positions >= first) & (positions < first + len(part))
            if here.any():
                images[torch.from_numpy(here)] = model_images(part[positions[here] - first], size, standardisation)
            first += len(part)
        return images

    def fingerprint(self) -> str:
        """Return the SHA-256 hash of the pixels."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(f"{part.shape} {part.dtype.str}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def load_images(
    source: str, count: int, seed: int, screen: tuple[int, int], size: tuple[int, int], stimulus: Stimulus
) -> ImagePool:
    """Load or generate images without measured responses.

    Parameters
    ----------
    source
        Name of a stimulus, path of images, or path or name of a recording; see `DistillationSettings`.
    count
        Largest number of images. Of more, this many are drawn at random.
    seed
        Seed of what is random.
    screen
        Height and width of the recorded images. Images of other sizes are resized to it, with anti-aliasing.
    size
        Height and width of the inputs of the models, the larger one of student and teacher: images are generated in this size.
    stimulus
        Channels and range of the images.

    Raises
    ------
    InputError
        If there are no such images, or they do not fit the benchmark.

    Examples
    --------
    >>> load_images("dead_leaves", 3, 0, (144, 256), (36, 64), Stimulus()).parts[0].shape
    (3, 1, 36, 64)
    """
    rng = np.random.default_rng(seed_sequence(seed, "unlabelled images"))
    if source in GENERATORS:
        return ImagePool([_generated(GENERATORS[source], count, rng, size, stimulus)])
    path = expand_path(source)
    if _holds_images(path):
        raw = RawImages(path, stimulus)
        return _pool([raw[int(position)] for position in _drawn(len(raw), count, rng)], screen, stimulus)
    if not path.exists() and "/" not in source:
        raise InputError(
            f"distillation.images = {source!r} is neither a stimulus ({listed(GENERATORS)}) nor a path: give one of these, or the name of a "
            "recording, such as sensorium2022/27204-5-13."
        )
    recording = as_recording(source)
    if (
        recording.benchmark.stimulus.channels != stimulus.channels
        or recording.benchmark.stimulus.range != stimulus.range
    ):
        raise InputError(
            f"The images of {recording.session} have the channels {', '.join(recording.benchmark.stimulus.channels)} and the range "
            f"{list(recording.benchmark.stimulus.range)}, others than those of the student: give images of the same kind."
        )
    rows = _distinct(recording, recording.rows(recording.benchmark.training_tier))
    return _pool([recording.images[row] for row in rows[_drawn(rows.size, count, rng)]], screen, stimulus)


def withheld_images(recording: Recording) -> Array:
    """Return the different images of the test tiers of a recording, (T, C, H, W), for self-training.

    Raises
    ------
    InputError
        If the benchmark does not allow it, or the recording has no test trials.
    """
    spec = recording.benchmark
    if not spec.train_on_test_images:
        raise InputError(
            f"Benchmark {spec.name} does not allow training on the images of test tiers (train_on_test_images = false): set "
            "distillation.withheld_images = false."
        )
    rows = _test_rows(recording)
    if not rows.size:
        raise InputError(f"{recording.session} has no trials of a test tier: set distillation.withheld_images = false.")
    return np.asarray(recording.images[rows])


def refuse_test_images(pool: ImagePool, recording: Recording) -> None:
    """Raise `InputError` if a pool holds images of the test tiers of a recording, pixel by pixel."""
    shape = recording.images.shape[1:]
    parts = [part for part in pool.parts if part.shape[1:] == shape]
    if not parts:
        return
    tested = {_pixels(image) for image in recording.images[_test_rows(recording)]}
    found = sum(_pixels(image) in tested for part in parts for image in part)
    if found:
        raise InputError(
            f"{found} of the images of distillation.images are images of test tiers of {recording.session}: leave them out, or, if the rules "
            "allow self-training, set distillation.withheld_images = true."
        )


def _test_rows(recording: Recording) -> NDArray[np.int64]:
    """Return the first trial of each image of the test tiers."""
    tiers = [tier for tier in recording.benchmark.test_tiers if tier in recording.tiers]
    rows = [recording.rows(tier) for tier in tiers]
    return _distinct(recording, np.concatenate(rows)) if rows else np.array([], dtype=np.int64)


def _distinct(recording: Recording, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of the given trials of each image."""
    _, first = np.unique(recording.trials["image_id"].to_numpy()[rows], return_index=True)
    return rows[np.sort(first)]


def _holds_images(path: Path) -> bool:
    if path.is_dir():
        return any(each.suffix.lower() in SUFFIXES and not each.name.startswith(".") for each in path.iterdir())
    return path.is_file() and path.suffix.lower() in SUFFIXES


def _generated(
    generate: Generator, count: int, rng: np.random.Generator, size: tuple[int, int], stimulus: Stimulus
) -> Array:
    """Generate grey images in the range of the stimulus; all channels are equal."""
    low, high = stimulus.range
    images = np.empty((count, len(stimulus.channels), *size), np.uint8 if (low, high) == (0, _GREY) else np.float32)
    with progress_bar("Generating images", count) as advance:
        for image in images:
            grey = generate(size, rng)
            image[:] = grey if images.dtype == np.uint8 else low + grey * ((high - low) / _GREY)
            advance(1)
    return images


def _pool(images: list[Array], screen: tuple[int, int], stimulus: Stimulus) -> ImagePool:
    """Resize images to the size of the screen, and store grey values as whole numbers."""
    fitting = [screen_sized(image, screen, screen, number) for number, image in enumerate(images)]
    stacked = np.stack(fitting)
    if stimulus.range == (0, _GREY) and stacked.dtype != np.uint8:
        stacked = np.clip(np.rint(stacked), 0, _GREY).astype(np.uint8)
    return ImagePool([stacked])


def _drawn(available: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most `count` positions, in order."""
    return np.sort(rng.permutation(available)[:count])


def _pixels(image: Array) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image, dtype=np.float32).tobytes()).digest()
