"""A portal to walk through: a small competition, served as its organiser serves it, with mail."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from striate.competition import Built, Rules, Vault, build, commit, sealed
from tests.competition.examples import PASSPHRASE, SEED, mice, predictions
from tests.portal.conftest import rules_of_now
from tests.portal.test_serving import served
from tests.portal.walk.mailbox import Mailbox

PASSWORD = "a long and dull password"


@dataclass
class Stage:
    """A portal that is running."""

    address: str
    password: str
    built: Built
    data: Path
    scratch: Path
    mailbox: Mailbox

    def file(self, skill: float, seed: int = 0) -> Path:
        """What a model of some skill would submit."""
        path = self.scratch / f"model-{skill}-{seed}.parquet"
        if not path.exists():
            predictions(self.built, "sensorium", skill, seed).write(path)
        return path

    def run(self, code: str) -> str:
        """Do something in a process of its own, beside the portal."""
        begin = "from striate.portal import Place\nfrom striate.portal.running.prepare import set_up\nset_up(Place.of(*sys.argv[1:]))\n"
        command = [sys.executable, "-c", f"import sys\n{begin}{code}", self.built.folder, self.data]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def stage(folder: Path, recordings: Callable[[Rules], list[Any]] | None = None, **changes: Any) -> Iterator[Stage]:
    """Build a competition of some recordings, commit to it, and serve it until the end."""
    rules = rules_of_now(**changes)
    folder.mkdir(parents=True, exist_ok=True)
    here, away, scratch = folder / "here", folder / "away" / "deep", folder / "scratch"
    for each in (here, away, scratch):
        each.mkdir(parents=True)
    cost, sealed.COST = sealed.COST, 12  # a quick vault
    try:
        made = build(
            rules, recordings(rules) if recordings else mice(), here / "public", away / "secret", PASSPHRASE, seed=SEED
        )
        commit(made.folder, Vault.read(made.vault, PASSPHRASE), at=datetime.now(UTC) - timedelta(days=11))
    finally:
        sealed.COST = cost
    shutil.copy(made.live_truth, here / "public-live-truth.npz")
    (here / "public-live-truth.npz").chmod(0o600)
    with Mailbox() as mailbox:
        try:
            with served(here, folder / "data", STRIATE_PORTAL_MAIL=mailbox.address) as (address, _, password):
                yield Stage(address, password, made, folder / "data", scratch, mailbox)
        finally:
            mailbox.shutdown()
