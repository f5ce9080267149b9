"""Warnings for users, which point to the user's code and not into striate."""

import contextlib
import sys
import warnings
from pathlib import Path

from striate.errors import StriateWarning

_SKIPPED = (str(Path(__file__).parents[1]), contextlib.__file__)  # striate, and decorators of its functions


def warn(message: str) -> None:
    """Warn the user. The line that Python shows with the warning is that of the code that called striate."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SKIPPED):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, StriateWarning, stacklevel=level)
