"""What senders and readers experienced: lines of JSON, each written whole, so that a kill costs at most what comes after."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """A file that lines are added to."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def note(self, **fields: Any) -> None:
        """Add a line, with the time."""
        line = json.dumps({"at": time.time(), **fields}) + "\n"
        with self._lock:
            os.write(self._file, line.encode())


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Read the whole lines of a journal; none, if there is no file."""
    if path.exists():
        for line in path.read_bytes().split(b"\n"):
            try:
                yield json.loads(line)
            except ValueError:  # its writer was killed
                continue
