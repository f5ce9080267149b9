"""A process that outlives what started it would serve unseen, so that it ends when its parent does."""

import os
import signal
import threading
import time

PARENT = "STRIATE_PORTAL_PARENT"


def end_with_parent() -> None:
    """Let this process be asked to end as soon as the process named in the environment is its parent no longer."""
    parent = os.environ.get(PARENT)
    if parent is not None:
        threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
