"""Progress events of a download, for progress bars and scripts."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal[
    "present",  # the file exists already and is verified
    "started",  # a mirror starts to send the file
    "received",  # `done` bytes of the file have been received
    "retrying",  # an attempt failed; the next one starts in `seconds`
    "waiting",  # the host is down, or another process downloads the file; retried in `seconds`
    "restarted",  # the received bytes were discarded
    "checking",  # the file is complete and is being verified
    "fetched",  # the file is complete, verified and installed
    "failed",  # no further attempts in this run
]


@dataclass(frozen=True)
class Event:
    """Progress event of one file.

    Attributes
    ----------
    kind
        Type of the event.
    file
        Name of the file.
    done, total
        Bytes received so far and in total; None where unknown.
    seconds
        Wait until the next attempt, in seconds.
    reason
        Why an attempt failed, as a clause.
    address
        URL or folder of the mirror.

    Examples
    --------
    >>> from striate.fetch import Event
    >>> Event("received", "a.zip", done=512, total=2048).to_json()
    '{"kind": "received", "file": "a.zip", "done": 512, "total": 2048}'
    """

    kind: Kind
    file: str
    done: int | None = None
    total: int | None = None
    seconds: float | None = None
    reason: str | None = None
    address: str | None = None

    def to_json(self) -> str:
        """Return the event as one line of JSON, without fields that are None."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None}, ensure_ascii=False)


Listener = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Do nothing; the default listener."""
