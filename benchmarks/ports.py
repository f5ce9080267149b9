"""Free ports for servers that tests and benchmarks start on this machine."""

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_FIRST = 32000  # start of the ephemeral port range if the system does not tell it
_CANDIDATES = 12000  # number of ports to draw from
_TRIES = 1000
_random = random.Random()  # independent of seeds set by tests, with which parallel processes would get the same ports


def free_port() -> int:
    """Return a free port outside of the ephemeral port range, so that the system does not assign it while a server restarts.

    Raises
    ------
    RuntimeError
        If no free port is found.
    """
    end = _first_ephemeral_port()
    for _ in range(_TRIES):
        port = _random.randrange(end - _CANDIDATES, end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port was found from {end - _CANDIDATES} to {end - 1}")


def _first_ephemeral_port() -> int:
    """Return the first port of the ephemeral range, from which the system assigns ports to connections."""
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_FIRST
    return first if first > 2 * _CANDIDATES else _DEFAULT_FIRST  # lower ports belong to well-known services
