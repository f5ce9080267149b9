"""`python -m tests.portal.bombs`."""

import argparse
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import tests.portal.bombs as bombs
from tests.portal.bombs import BOMBS, CSV_BOMBS
from tests.portal.bombs.campaign import campaign
from tests.portal.bombs.forks import Forks


def main() -> None:
    """Run a campaign against a small competition that is made for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.portal.bombs", description=bombs.__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*BOMBS, *CSV_BOMBS])
    given = parser.parse_args()
    from striate.competition import build
    from striate.competition.manifest import Manifest
    from striate.competition.rules import read_rules
    from striate.portal.receiving import decoding
    from striate.portal.receiving.keys import write_keys
    from tests.competition.examples import PASSPHRASE, SEED, mice, predictions
    from tests.portal.conftest import rules_of_now

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        os.environ["STRIATE_CACHE"] = str(here / "cache")
        made = build(rules_of_now(), mice(), here / "public", here / "away" / "secret", PASSPHRASE, seed=SEED)
        rules, text = read_rules(made.folder)
        about = {"version": "1", "rules": rules, "rules_text": text, "folder": made.folder}
        write_keys(here / "keys.npz", SimpleNamespace(**about, manifest=Manifest.read(made.folder)))  # type: ignore[arg-type]
        sound = here / "sound.parquet"
        predictions(made, "sensorium", 0.5, 0).write(sound)
        kinds = {**BOMBS, **CSV_BOMBS}
        chosen = {given.kind: kinds[given.kind]} if given.kind else kinds
        forks = Forks(here)
        decoding._Child = forks  # type: ignore[assignment, misc]
        outcome = campaign(sound, here / "keys.npz", given.files, given.seed, chosen)
        outcome.peak = forks.peak
    print(outcome)
    raise SystemExit(bool(outcome.failed or outcome.unclear))


if __name__ == "__main__":
    main()
