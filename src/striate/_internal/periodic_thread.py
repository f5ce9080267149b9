"""Call a function periodically in a background thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def run_periodically(
    interval: float,
    function: Callable[[], None],
    *,
    on_start: Callable[[], None] | None = None,
    on_stop: Callable[[], None] | None = None,
    join_timeout: float | None = None,
) -> Iterator[None]:
    """Call a function at regular intervals in a background thread until the block ends.

    Parameters
    ----------
    interval
        Pause before each call, in seconds.
    function
        Function to call. It must not raise.
    on_start, on_stop
        Functions to call in the same thread before the first and after the last call.
    join_timeout
        Maximum time to wait for the thread when the block ends, in seconds; None waits until it has ended.
    """
    stopped = threading.Event()

    def run() -> None:
        if on_start is not None:
            on_start()
        while not stopped.wait(interval):
            function()
        if on_stop is not None:
            on_stop()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=join_timeout)
