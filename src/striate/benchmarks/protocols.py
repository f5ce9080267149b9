"""Tracks and protocols of SENSORIUM 2022, for code that knows no benchmark. Boards never mix protocols."""

import re

from striate._internal.file_names import file_name_problem
from striate.benchmarks.sensorium2022 import sensorium2022
from striate.benchmarks.spec import BenchmarkSpec, plain_name
from striate.errors import InputError, quoted

_TRACK = re.compile(r"^[a-z0-9][a-z0-9+._-]{0,59}$")

_SPEC: BenchmarkSpec = sensorium2022()

TRACKS = _SPEC.track_names
PROTOCOLS = _SPEC.protocol_names
IMAGE, IMAGE_BEHAVIOR, IMAGE_BEHAVIOR_PAST = PROTOCOLS  # the last is the participant's own word; no file can prove it


def sees_image_alone(protocol: str | None) -> bool | None:
    """Whether models of a protocol see the image alone, so that the ceilings bound them; None where it is not stated."""
    return None if protocol is None else protocol == IMAGE


def track_name(typed: str) -> str:
    """Turn what a user typed into the name of a track: one of 2022, however it is spaced, or one of another competition.

    Raises
    ------
    InputError
        If no track can have this name.
    """
    typed = str(typed)
    known = {plain_name(name): name for name in TRACKS}.get(plain_name(typed), typed)
    if not _TRACK.fullmatch(known) or file_name_problem(known):
        raise InputError(
            f"{quoted(typed, 80)} cannot name a track: it has lower-case letters, digits, and + . _ - within, such as {TRACKS[1]!r}."
        )
    return known


def protocol_name(typed: str) -> str:
    """Turn what a user typed into the name of a protocol; spaces and American spelling do not matter.

    Raises
    ------
    InputError
        If there is no such protocol.
    """
    return _SPEC.protocol(typed).name
