"""Fuzz every reader for some minutes: ``python -m tests.fuzz --minutes 5`` (`make fuzz MINUTES=5`).

With atheris installed (the extra ``fuzz``) the search follows the coverage of striate's own code; without, it draws
mutations at random. Each new kind of failure is saved to ``tests/fuzz/failures`` and replayed by ``make test``.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.oracle import FAILURES, broken_promise, kind_of
from tests.fuzz.targets import TARGETS


def save(name: str, content: bytes, problem: str) -> Path:
    """Keep a failing input, to be replayed."""
    FAILURES.mkdir(exist_ok=True)
    path = FAILURES / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    print(f"{path.name}: {problem}", flush=True)
    return path


def fuzz(name: str, seconds: float, seed: int, guided: bool) -> int:
    """Fuzz one reader in this process; return the number of failures."""
    os.environ["STRIATE_CACHE"] = tempfile.mkdtemp(prefix="striate-fuzz-cache-")
    os.environ["STRIATE_SETTINGS"] = os.environ["STRIATE_CACHE"]
    seeds = TARGETS[name].seeds()
    for content in seeds:
        if (problem := broken_promise(name, content)) is not None:
            print(f"{name}: the sound file is refused: {problem}", flush=True)
    found: Counter[str] = Counter()
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    inputs = 0

    def one(content: bytes) -> None:
        nonlocal inputs
        inputs += 1
        if (problem := broken_promise(name, content)) is not None:
            found[kind_of(problem)] += 1
            if found[kind_of(problem)] == 1:
                save(name, content, problem)
        if time.monotonic() > end:
            print(f"{name}: {inputs} inputs, {len(found)} kinds of failures", flush=True)
            sys.stdout.flush()
            os._exit(min(len(found), 100))

    if guided:
        import atheris

        def mutator(content: bytes, largest: int, draw: int) -> bytes:
            own = random.Random(draw)
            if own.random() < 0.3:
                return bytes(atheris.Mutate(content, largest))[:largest]
            return mutated(content, seeds, own)[:largest]

        folder = Path(os.environ["STRIATE_CACHE"]) / "corpus"
        folder.mkdir()
        for number, content in enumerate(seeds):
            (folder / str(number)).write_bytes(content)
        options = [
            sys.argv[0],
            f"-seed={seed % 2**31 or 1}",
            "-max_len=1048576",
            "-rss_limit_mb=0",
            "-timeout=600",
            "-verbosity=0",
        ]
        atheris.Setup([*options, str(folder)], one, custom_mutator=mutator)
        atheris.Fuzz()
    while True:
        one(mutated(rng.choice(seeds), seeds, rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**31)
    parser.add_argument("--plain", action="store_true", help="draw mutations at random, without coverage")
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)  # of one target, in a process of its own
    given = parser.parse_args()
    guided = not given.plain and find_spec("atheris") is not None
    if given.seconds is not None:
        if guided:
            import atheris

            with atheris.instrument_imports(include=["striate"]):
                TARGETS[given.target[0]].seeds()
        fuzz(given.target[0], given.seconds, given.seed, guided)
    names = given.target or list(TARGETS)
    how = "guided by coverage (atheris)" if guided else "at random"
    print(f"{len(names)} readers, {how}, seed {given.seed}", flush=True)
    failed = 0
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--seed", str(given.seed)]
        command += ["--seconds", str(60 * given.minutes / len(names)), *(["--plain"] if not guided else [])]
        done = subprocess.run(command, check=False)
        if done.returncode:
            failed += 1
            if done.returncode < 0 or done.returncode > 100:
                print(f"{name}: its process ended with status {done.returncode}", flush=True)
    sys.exit(f"{failed} readers broke their promise: see {FAILURES}" if failed else 0)


if __name__ == "__main__":
    main()
