"""Tracks and protocols: what a model was allowed to know. Boards never mix them."""

from striate.errors import InputError, nearest

TRACKS = ("sensorium", "sensorium+")

IMAGE = "image"
IMAGE_BEHAVIOR = "image + behaviour"
IMAGE_BEHAVIOR_PAST = "image + behaviour + past responses"  # the participant's own word; no file can prove it
PROTOCOLS = (IMAGE, IMAGE_BEHAVIOR, IMAGE_BEHAVIOR_PAST)


def track_name(typed: str) -> str:
    """Turn what a user typed into the name of a track.

    Raises
    ------
    InputError
        If there is no such track.
    """
    return _one_of(typed, TRACKS, "track")


def protocol_name(typed: str) -> str:
    """Turn what a user typed into the name of a protocol; spaces and American spelling do not matter.

    Raises
    ------
    InputError
        If there is no such protocol.
    """
    return _one_of(typed, PROTOCOLS, "protocol")


def _one_of(typed: str, names: tuple[str, ...], what: str) -> str:
    plain = {_plain(name): name for name in names}
    if _plain(typed) not in plain:
        raise InputError(f"There is no {what} {typed!r}: {nearest(typed, names)}.")
    return plain[_plain(typed)]


def _plain(name: str) -> str:
    return "".join(name.lower().split()).replace("behavior", "behaviour")
