"""Data of the benchmarks: a simulated recording with the size of a real one, which is created once and cached."""

import atexit
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import tomli_w

from benchmarks.ports import free_port

DATA_FOLDER = Path(os.environ.get("STRIATE_BENCHMARKS", Path(__file__).parent / "data"))
NEURONS, TRAIN, BATCH = 7776, 4490, 128


def mouse() -> Path:
    """Return an archive of 7,776 neurons and 6,990 trials of 144 × 256 pixels, which is simulated if missing (two minutes)."""
    folder = DATA_FOLDER / "mouse"
    found = list(folder.glob("*.zip"))
    if not found:
        command = [sys.executable, "-m", "striate", "simulate", folder, "--full-size", "--competition", "sensorium+"]
        command += ["--pretraining", 0, "--no-withhold", "--seed", 7]
        print("simulating a recording of the size of a real mouse ...", file=sys.stderr)
        subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
        found = list(folder.glob("*.zip"))
    return found[0]


def scratch(name: str) -> Path:
    """Return a folder for temporary files of a benchmark."""
    folder = DATA_FOLDER / "scratch" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def served_files(folder: Path) -> tuple[list[str], str, str]:
    """Serve four files of 256 MB on this machine until this process ends.

    Returns
    -------
    (list of str, str, str)
        File names, address of the server, and a settings folder whose catalogue has the files as dataset ``served``.
    """
    files = folder / "files"
    names = [f"{number}.bin" for number in range(4)]
    if not (files / "SHA256SUMS").exists():
        files.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            block = random.Random(number).randbytes(2**20)
            with (files / name).open("wb") as file:
                for index in range(256):
                    file.write(index.to_bytes(4) + block[4:])
        sums = subprocess.run(["sha256sum", *names], cwd=files, check=True, capture_output=True, text=True).stdout
        (files / "SHA256SUMS").write_text(sums)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(files)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(server.terminate)
    address = f"http://127.0.0.1:{port}/"
    sums = dict(reversed(line.split()) for line in (files / "SHA256SUMS").read_text().splitlines())
    entry = {
        "name": "served",
        "title": "Files of a server on this machine",
        "addresses": [address],
        "licence": {"name": "none", "terms": "none"},
        "files": [{"name": name, "size": 256 * 2**20, "sha256": sums[name]} for name in names],
    }
    catalogue = folder / "settings" / "catalog"
    catalogue.mkdir(parents=True, exist_ok=True)
    (catalogue / "served.toml").write_text(tomli_w.dumps(entry))
    _wait_for(port)
    return names, address, str(folder / "settings")


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


def shared() -> Path | None:
    """Return the folder of archives that are not part of the repository; None if it does not exist."""
    folder = Path(os.environ.get("STRIATE_SHARED", "../shared")) / "archives"
    return folder if folder.is_dir() else None
