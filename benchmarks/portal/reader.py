"""Readers: a process that asks for pages, as people do who watch a board. ``python -m benchmarks.portal.reader ADDRESS JOURNAL N``."""

import random
import sys
import threading
import time
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from benchmarks.portal.competition import BOARD
from benchmarks.portal.journal import Journal
from striate.portal.running.parent import end_with_parent

PAGES = ("", "boards/", f"boards/{BOARD}/", f"boards/{BOARD}.json", "data/", "competition.toml", "health")
_PAUSE = 0.4  # seconds between two pages of a reader, on average


def main() -> None:
    """Read until killed, or the campaign is."""
    end_with_parent()
    address, journal, count = sys.argv[1], Journal(Path(sys.argv[2])), int(sys.argv[3])
    for number in range(count):
        threading.Thread(target=_read, args=(address, journal, number)).start()


def _read(address: str, journal: Journal, seed: int) -> None:
    chance, pool = random.Random(seed), urllib3.PoolManager(timeout=60.0, retries=False)
    while True:
        time.sleep(chance.uniform(0, 2 * _PAUSE))
        page, began = chance.choice(PAGES), time.perf_counter()
        try:
            status = pool.request("GET", address + page, redirect=False).status
        except (HTTPError, OSError):
            status = 0
        journal.note(page="/" + page, status=status, seconds=time.perf_counter() - began)


if __name__ == "__main__":
    main()
