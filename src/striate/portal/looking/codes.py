"""Responses as single bytes: fine where responses are small, coarse where they are large, and one byte for "no value"."""

import numpy as np
from numpy.typing import NDArray

LARGEST = 25.0  # standard deviations; what is larger is drawn as this
MISSING = 255
_TOP = 254


def encoded(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Write responses as bytes: 0 to 254 for the square root of 0 to `LARGEST`, 255 for NaN.

    Parameters
    ----------
    values
        In standard deviations, of any shape; what is negative counts as 0.
    """
    known = np.isfinite(values)
    root = np.sqrt(np.clip(np.where(known, values, 0), 0, LARGEST) * np.float32(1 / LARGEST))
    codes: NDArray[np.uint8] = np.rint(root * _TOP).astype(np.uint8)
    codes[~known] = MISSING
    return codes


def decoded(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Responses of bytes, in standard deviations; NaN where there is no value."""
    values = LARGEST * np.square(codes.astype(np.float32) / _TOP)
    return np.where(codes == MISSING, np.float32(np.nan), values).astype(np.float32)
