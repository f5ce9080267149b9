"""Who gives way where more is to be done than the processor can: people wait for pages, and less for what is done beside them."""

import os
from contextlib import suppress
from pathlib import Path

_NICE = 5  # a third of the share of those that do not give way: less, and a busy machine would hardly do it at all
LEAST = 19


def give_way(process: int, *, session: bool = False, nice: int = _NICE) -> None:
    """Let a process that this user started have the processor after those that answer pages.

    Parameters
    ----------
    process
        Its number.
    session
        Whether it has a session of its own. Where nothing else divides the processor, Linux divides it among sessions first, and
        would give a process that has one to itself as much as all web processes together.
    nice
        How much it gives way, up to `LEAST`, as the system counts it.
    """
    with suppress(OSError):  # it has ended already, or may not; then it goes without
        os.setpriority(os.PRIO_PROCESS, process, max(nice, os.getpriority(os.PRIO_PROCESS, process)))
        if session:
            Path(f"/proc/{process}/autogroup").write_text(str(nice))
