"""The portal's processes, with what each is told: of the live truth, the worker alone."""

import os
import socket
from pathlib import Path

from striate._internal.paths import expand_path
from striate.competition import LiveTruth
from striate.errors import InputError
from striate.portal.competition import competition
from striate.portal.place import Place
from striate.portal.running.processes import Process, run
from striate.portal.running.web import BIND

# With a heap of its own for each thread, what threads have given back adds up to more than the portal needs (glibc alone looks at this).
_FEW_HEAPS = {"MALLOC_ARENA_MAX": "2"}
LIVE_TRUTH = "STRIATE_PORTAL_LIVE_TRUTH"
_SECRETS = (LIVE_TRUTH, "STRIATE_LIVE_TRUTH", "STRIATE_PASSPHRASE")


def web(place: Place, host: str, port: int) -> Process:
    """The web process, which is told nothing of the truth.

    Raises
    ------
    InputError
        If the address is taken, or is none of this machine's.
    """
    if not os.environ.get("STRIATE_PORTAL_ADDRESS") and host not in ("127.0.0.1", "localhost", "::1"):
        raise InputError(
            f"To listen on {host}, other machines must know the portal by an address: set STRIATE_PORTAL_ADDRESS, such as "
            "https://portal.example.org, and put a proxy before it that encrypts."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"Port {port} of {host} cannot be used ({error}): give another with --port.") from None
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    told = {**place.environment, BIND: bind, **_FEW_HEAPS}
    return Process("web process", "striate.portal.running.web", told, without=_SECRETS)


def worker(place: Place, live_truth: Path) -> Process:
    """A worker, which is told where the live truth is.

    Raises
    ------
    InputError
        If the live truth is not that of the competition.
    """
    file = expand_path(live_truth).resolve()
    require_live_truth(file)
    # Matrix products in one thread each: the bootstrap does several beside each other, and the threads of one would only
    # wait for each other (1.6 s of processor for a bootstrap instead of 0.8 s).
    told = {**place.environment, LIVE_TRUTH: str(file), "OMP_NUM_THREADS": "1"}
    return Process("worker", "striate.portal.running.worker", told, without=_SECRETS[1:])


def require_live_truth(file: Path) -> LiveTruth:
    """Read the live truth, and hold it against the rules of the competition.

    Raises
    ------
    InputError
        If it is that of another one, lies in what is published, or can be read by others.
    """
    if file.is_relative_to(competition().folder):
        raise InputError(f"The live truth lies in {competition().folder}, which is published: put it elsewhere.")
    live = LiveTruth.read(file)
    if file.stat().st_mode & 0o077:
        raise InputError(f"{file} can be read by other users of this machine: chmod 600 {file}.")
    if live.rules_text != competition().rules_text:
        raise InputError(
            f"{file} is the live truth of another competition than {competition().folder}: its rules differ."
        )
    return live


def serve(processes: list[Process]) -> None:
    """Run processes until asked to end."""
    run(processes)
