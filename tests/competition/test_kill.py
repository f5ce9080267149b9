"""A build that is killed at any moment leaves no public folder without its secrets, and nothing that is not whole."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from tests.competition.examples import PASSPHRASE, TRACK, mouse, small_rules

from striate.competition import Vault
from striate.competition.commitment import changed_files
from striate.competition.manifest import Manifest
from striate.recordings import write


@pytest.mark.slow
def test_a_build_that_is_killed(tmp_path):
    (tmp_path / "competition.toml").write_text(small_rules("own").to_toml())
    write(mouse(TRACK, live=8), tmp_path / "full.zip")
    environment = {**os.environ, "STRIATE_PASSPHRASE": PASSPHRASE, "STRIATE_CACHE": str(tmp_path / "cache")}
    words = ["competition", "build", "competition.toml", "full.zip", "--out", "public", "--secrets", "secret"]

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "striate", *words]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)

    began = time.monotonic()
    assert start().wait(timeout=120) == 0
    lasted = time.monotonic() - began
    rng = random.Random(3)
    killed = 0
    for attempt in range(8):
        words[-3], words[-1] = f"public-{attempt}", f"secret-{attempt}"
        process = start()
        time.sleep(rng.uniform(0.5, 1.0) * lasted)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        public, secret = tmp_path / words[-3], tmp_path / words[-1]
        if public.exists():
            assert not changed_files(public, Manifest.read(public))
            assert Vault.read(secret / "vault", PASSPHRASE).rules.name == "our-competition"
        if secret.exists():
            assert {path.name for path in secret.iterdir()} >= {"vault", "live-truth.npz"}
    assert killed >= 2
    words[-3], words[-1] = "public-last", "secret-last"
    assert start().wait(timeout=120) == 0
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")]
