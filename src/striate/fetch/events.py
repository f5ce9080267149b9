"""What happens while a dataset is fetched, for whoever watches: a bar, a script, nobody."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal[
    "present",  # the file was here already
    "started",  # an address begins to send
    "received",  # so many bytes of the file are here
    "retrying",  # an attempt failed, and the next one follows in `seconds`
    "waiting",  # the host is down, or another process fetches the file; asked again in `seconds`
    "restarted",  # what was received is dropped
    "checking",  # the file is complete, and held against size and hash
    "fetched",  # the file is whole, verified and in its place
    "failed",  # the file is given up, for now
]


@dataclass(frozen=True)
class Event:
    """Something that happened to a file.

    Attributes
    ----------
    kind
        What.
    file
        Name of the file.
    done, total
        Bytes that are here, and that there will be, where known.
    seconds
        Wait until the next attempt.
    reason
        Why, as a clause.
    address
        Who sends.
    """

    kind: Kind
    file: str
    done: int | None = None
    total: int | None = None
    seconds: float | None = None
    reason: str | None = None
    address: str | None = None

    def to_json(self) -> str:
        """One line of JSON, without what is not known."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None}, ensure_ascii=False)


Listener = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Listen to nothing."""
