"""Fingerprints by which the same picture, the same trial, or nearly the same picture is found again."""

import hashlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

THUMBNAIL = 32  # pixels a side
_BITS = 8  # a side: 64 bits in all
_FEWEST = 5  # responses other than 0 that make a trial known again


def picture_hashes(images: NDArray[np.generic]) -> NDArray[np.str_]:
    """A hash of each picture's pixels, whatever type they are stored as; (T,)."""
    hashes = []
    for picture in images:
        canonical = picture.astype(np.float64) if picture.dtype.kind == "f" else picture.astype(np.int64)
        hashes.append(hashlib.blake2b((canonical.astype(np.float64) + 0.0).tobytes(), digest_size=16).hexdigest())
    return np.array(hashes, dtype="<U32")


def response_hashes(responses: NDArray[Any]) -> NDArray[np.str_]:
    """A hash of each trial's responses that does not depend on the order of the neurons; (T,).

    Empty where so few neurons responded that different trials may well have the same responses.
    """
    hashes = []
    for trial in responses:
        active = np.sort(np.asarray(trial, dtype=np.float32)[np.asarray(trial) != 0])
        few = np.unique(active).size < _FEWEST
        hashes.append("" if few else hashlib.blake2b(active.tobytes(), digest_size=16).hexdigest())
    return np.array(hashes, dtype="<U32")


def row_hashes(values: NDArray[Any]) -> NDArray[np.str_]:
    """A hash of each row of numbers; empty where all are 0; (T,)."""
    rows = np.asarray(values, dtype=np.float32)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() if row.any() else "" for row in rows])


def greyscale(images: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return pictures of shape (I, C, H, W) with their channels averaged, (I, H, W). Pictures without channels stay as they are."""
    if images.ndim == 3:
        return images
    if images.shape[1] == 1:
        return images[:, 0]
    averages: NDArray[np.generic] = images.mean(axis=1, dtype=np.float32)
    return averages


def thumbnails(images: NDArray[np.generic]) -> Floats:
    """Pictures, (I, C, H, W), made small by averaging, (I, THUMBNAIL²), each with mean 0 and length 1 (a constant picture: 0)."""
    height, width = images.shape[-2:]
    rows, columns = (averaging(size, THUMBNAIL, THUMBNAIL) for size in (height, width))
    small = np.stack([rows @ picture.astype(np.float64) @ columns.T for picture in greyscale(images)])
    small = small.reshape(len(images), -1)
    small -= small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    return np.where(length > 1e-6, small / np.maximum(length, 1e-12), 0.0)


def perceptual_hashes(small: Floats) -> NDArray[np.bool_]:
    """64 bits of each thumbnail: which low spatial frequencies are above their median.

    The perceptual hash of Zauner (2010), Implementation and benchmarking of perceptual image hash functions: pictures
    that look alike differ in few bits, whatever was done to their brightness, contrast, size or compression.

    Parameters
    ----------
    small : (I, THUMBNAIL²)
        See `thumbnails`.

    Returns
    -------
    (I, 64) bool
    """
    place = np.arange(THUMBNAIL)
    cosines = np.cos(np.pi * (place + 0.5)[None] * np.arange(1, _BITS + 1)[:, None] / THUMBNAIL)  # without the mean
    squares = small.reshape(-1, THUMBNAIL, THUMBNAIL)
    low = np.einsum("ay,iyx,bx->iab", cosines, squares, cosines, optimize=True).reshape(len(small), -1)
    return np.asarray(low > np.median(low, axis=1, keepdims=True))


def near_pairs(
    first: Floats, second: Floats, bits: int = 16, correlation: float = 0.9
) -> list[tuple[int, int, int, float]]:
    """Pairs of pictures that look alike: row of the first, row of the second, differing bits, correlation.

    Parameters
    ----------
    first, second
        Thumbnails.
    bits
        Most bits in which the perceptual hashes may differ.
    correlation
        Least correlation of the thumbnails: hashes alone find smooth pictures alike that are not.
    """
    if not len(first) or not len(second):
        return []
    one, other = perceptual_hashes(first).astype(np.int64), perceptual_hashes(second).astype(np.int64)
    differing = one @ (1 - other).T + (1 - one) @ other.T
    alike = first @ second.T
    pairs = np.argwhere((differing <= bits) & (alike >= correlation))
    return [(int(a), int(b), int(differing[a, b]), float(alike[a, b])) for a, b in pairs]


@cache
def averaging(size: int, fields: float, length: int) -> Floats:
    """Matrix, (length, size), that averages pixels over fields of which `fields` fill the picture.

    The fields lie about the centre of the picture; those beyond its edge repeat the last pixel. Where fields are smaller than pixels,
    values between the centres of pixels are interpolated.
    """
    step = size / fields
    edges = np.clip(size / 2 + (np.arange(length + 1) - length / 2) * step, 0, size)
    pixel = np.arange(size)
    if step < 1:
        centre = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, size - 1)
        return np.asarray(np.maximum(1 - np.abs(centre[:, None] - pixel), 0))
    shares = np.maximum(np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0)
    beyond = shares.sum(axis=1) == 0
    shares[beyond, np.clip(edges[:-1][beyond].astype(np.int64), 0, size - 1)] = 1
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
