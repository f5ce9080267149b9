"""Do something now and then, in a thread of its own, while something else is done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def run_periodically(
    seconds: float,
    do: Callable[[], None],
    *,
    first: Callable[[], None] | None = None,
    last: Callable[[], None] | None = None,
    patience: float | None = None,
) -> Iterator[None]:
    """Call a function every so many seconds as long as the context lasts.

    Parameters
    ----------
    seconds
        Pause before each call.
    do
        What to call. It must not raise.
    first, last
        What to call in the same thread at the beginning and at the end.
    patience
        Seconds to wait at most for the last call, in the end; None waits until it has returned.
    """
    over = threading.Event()

    def run() -> None:
        if first is not None:
            first()
        while not over.wait(seconds):
            do()
        if last is not None:
            last()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=patience)
