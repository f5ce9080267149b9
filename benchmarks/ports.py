"""Ports for servers that are tried out on this machine."""

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL = 32000  # where the system does not say from which port on it takes its own
_CHOICE = 12000  # ports to draw from
_TRIES = 1000
_own = random.Random()  # a seed that a test sets would give processes side by side the same ports


def free_port() -> int:
    """A port of this machine that nobody listens on, and that nobody is given by chance while its server is being restarted.

    Raises
    ------
    RuntimeError
        If none is found.
    """
    end = _first_given_by_chance()
    for _ in range(_TRIES):
        port = _own.randrange(end - _CHOICE, end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port was found from {end - _CHOICE} to {end - 1}")


def _first_given_by_chance() -> int:
    """The first of the ports that the system gives to connections, and to servers that ask for any port."""
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL
    return first if first > 2 * _CHOICE else _USUAL  # below are the ports that services have by custom
