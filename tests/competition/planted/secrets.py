"""Secrets among the public files, and seeds that can be guessed."""

import hmac
import json
import shutil

from tests.competition.examples import OTHER, SEED, TRACK
from tests.competition.planted.plot import Planted, Plot, indexed

from striate.simulate.seeds import Seed


def truth_in_public(plot: Plot) -> None:
    from striate.competition import LiveTruth

    LiveTruth.read(plot.built.live_truth).truths["sensorium"].write(plot.folder / "archives" / "extra.parquet")


def live_truth_in_public(plot: Plot) -> None:
    shutil.copy(plot.built.live_truth, plot.folder / "readme.npz")


def vault_in_public(plot: Plot) -> None:
    shutil.copy(plot.built.vault, plot.folder / "README")


def key_in_text(plot: Plot) -> None:
    (plot.folder / "README.md").write_text(f"Made by us. Key: {SEED.trial_key(TRACK).hex()}.")


def seed_in_text(plot: Plot) -> None:
    (plot.folder / "README.md").write_text(json.dumps({"made": {"seed": 48151623421}}))


def changed_archive(plot: Plot) -> None:
    plot.change(OTHER, behavior=plot.recording(OTHER).behavior * 2)


def small_seed(plot: Plot) -> None:
    key = Seed(77).key(f"trial_idx of {TRACK}")
    indexed(plot, lambda n: hmac.digest(key, str(n).encode(), "sha256")[:16].hex())


def small_simulation(plot: Plot) -> None:
    import striate

    small = {"neurons": 14, "train": 40, "validation": 5, "test_images": 4, "repeats": 3, "image_shape": (18, 32)}
    plot.rewrite(striate.simulate(session=OTHER, seed=321, **small).recording, OTHER)


PLANTED: Planted = {
    "a truth": (truth_in_public, "secret-file", True),
    "the live truth under another name": (live_truth_in_public, "secret-file", True),
    "the vault under another name": (vault_in_public, "secret-file", True),
    "the key in a text": (key_in_text, "secret-in-text", False),
    "a seed in a text": (seed_in_text, "seed-in-provenance", True),
    "a file that was changed": (changed_archive, "changed-file", True),
    "names from a small seed": (small_seed, "small-seed", True),
    "a simulation from a small seed": (small_simulation, "small-seed", True),
}
