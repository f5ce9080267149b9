"""The database of a portal that is tried out: SQLite in its folder, or a PostgreSQL that is thrown away."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from benchmarks.ports import free_port
from striate.errors import InputError


class Database(Protocol):
    """What a campaign needs of a database."""

    name: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells the portal where it is."""

    def start(self) -> None:
        """Start it, if it must be started."""

    def stop(self, *, hard: bool = False) -> None:
        """Stop it; `hard` kills it."""

    def remove(self) -> None:
        """Stop it, and leave nothing of it."""


class SQLite:
    """A file that the portal's processes hold: there is no server to start, or to kill."""

    name = "SQLite"
    environment: Mapping[str, str] = {}

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self, *, hard: bool = False) -> None:
        """There is nothing to stop."""

    def remove(self) -> None:
        """It goes with the portal's folder."""


class PostgreSQL:
    """A server of PostgreSQL in a folder for temporary files, on this machine alone.

    Raises
    ------
    InputError
        If its programs are not installed, or nobody may run them: it refuses to run as root.
    """

    name = "PostgreSQL"

    def __init__(self) -> None:
        self._programs = programs()
        if self._programs is None:
            raise InputError(
                "There is no PostgreSQL here: its programs are looked for in /usr/lib/postgresql/*/bin and on the PATH."
            )
        self._as: dict[str, str] = {}
        if os.geteuid() == 0:
            try:
                pwd.getpwnam("postgres")
            except KeyError:
                raise InputError(
                    "PostgreSQL refuses to run as root, and there is no user `postgres`: run this as a plain user."
                ) from None
            self._as = {"user": "postgres", "group": "postgres"}
        self._folder = Path(tempfile.mkdtemp(prefix="striate-postgresql-", dir="/tmp"))  # a socket's path must be short
        if self._as:
            shutil.chown(self._folder, **self._as)
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._call("initdb", "-D", self._data, "-U", "striate", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()
        self._call("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "striate", "portal")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def environment(self) -> Mapping[str, str]:
        """Its address."""
        return {"DATABASE_URL": f"postgresql://striate@127.0.0.1:{self._port}/portal"}

    def start(self) -> None:
        """Start the server, and wait until it answers: after a kill it repairs itself first."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self._server is None or self._server.poll() is not None:  # what it left may not be gone yet
                options = ["-c", f"port={self._port}", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
                with (self._folder / "log").open("ab") as log:
                    self._server = subprocess.Popen(
                        [self._program("postgres"), "-D", self._data, "-k", str(self._folder), *options],
                        **self._options,  # type: ignore[call-overload]
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
            ask = [self._program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port), "-U", "striate"]
            if subprocess.run(ask, check=False).returncode == 0:
                return
            time.sleep(0.2)
        raise RuntimeError(f"PostgreSQL did not start; it says: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self, *, hard: bool = False) -> None:
        """Kill the postmaster alone (its children notice it and end), or stop everything at once ("immediate")."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGKILL if hard else signal.SIGQUIT)
            self._server.wait(30)

    def remove(self) -> None:
        """Stop it, and remove its folder."""
        self.stop()
        time.sleep(0.5)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _options(self) -> dict[str, object]:
        return {**self._as, **({"extra_groups": []} if self._as else {}), "cwd": str(self._folder)}

    def _program(self, name: str) -> str:
        assert self._programs is not None
        return str(self._programs / name)

    def _call(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._program(name), *arguments],
            **self._options,  # type: ignore[call-overload]
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr.strip()[-1000:]}")


def programs() -> Path | None:
    """Folder of the programs of PostgreSQL, the newest; None where it is not installed."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    on_path = shutil.which("initdb")
    return installed[0].parent if installed else Path(on_path).resolve().parent if on_path else None


def database(name: str) -> Database:
    """The database of a name.

    Raises
    ------
    InputError
        If it is unknown, or cannot be run here.
    """
    if name not in ("sqlite", "postgresql"):
        raise InputError(f"There is no database {name!r} here: sqlite or postgresql.")
    return SQLite() if name == "sqlite" else PostgreSQL()
