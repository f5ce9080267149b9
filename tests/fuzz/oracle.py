"""What every reader promises, whatever its input: it returns, or raises one short sentence, in bounded time and memory."""

import contextlib
import faulthandler
import os
import re
import signal
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from striate.errors import InputError, WithheldError
from tests.fixtures.limits import memory_limit
from tests.fixtures.messages import fault_of
from tests.fuzz.targets import TARGETS

MEMORY = 3 * 2**30  # bytes of address space; threads and PyArrow alone reserve a gigabyte
SECONDS = 30  # of the processor: a busy machine changes nothing

FAILURES = Path(__file__).parent / "failures"


class TooSlowError(BaseException):
    """A reader took too long; not an Exception, so that no reader catches it."""


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def broken_promise(name: str, content: bytes) -> str | None:
    """Let a reader read an input; say what it does wrong, or None."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="striate-fuzz-") as folder:
        path = Path(folder) / target.name
        path.write_bytes(content)
        try:
            faulthandler.dump_traceback_later(20 * SECONDS, exit=True)  # a loop outside of Python hears no signal
            with memory_limit(MEMORY), time_limit(SECONDS):
                target.read(path)
        except (InputError, WithheldError) as error:
            return fault_of(error, path, folder)
        except TooSlowError:
            return f"more than {SECONDS} seconds"
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in where if f"{os.sep}striate{os.sep}" in frame.filename] or where
            return f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}: {str(error)[:200]}"
        finally:
            faulthandler.cancel_dump_traceback_later()
    return None


def kind_of(problem: str) -> str:
    """What two failures of the same cause have in common."""
    return re.sub(r"[0-9]+ ", "N ", problem.partition(": ")[0])
