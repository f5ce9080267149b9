"""A competition to be played on a portal: simulated, built, committed to; and files to submit to it."""

import shutil
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import tomli_w
from numpy.typing import NDArray

import striate
from striate.competition import LiveTruth, Vault, build, commit, template
from striate.competition.build import simulated
from striate.competition.rules import parse_rules
from striate.submissions import Submission
from striate.submissions.alignment import align
from striate.submissions.trial_table import TrialIds

SESSION, BOARD = "90601-1-1", "main-image"
_PASSPHRASE = "five words for a rehearsal only"
_REPEATS = 10


@dataclass(frozen=True)
class Played:
    """A competition that is on now.

    Attributes
    ----------
    folder
        What is published.
    live_truth
        What the worker is told of, beside it.
    """

    folder: Path
    live_truth: Path

    @cached_property
    def live(self) -> LiveTruth:
        """The live truth."""
        return LiveTruth.read(self.live_truth)

    @cached_property
    def keys(self) -> TrialIds:
        """What must be predicted."""
        (archive,) = (self.folder / "archives").iterdir()
        return TrialIds.from_recording(striate.open(archive), self.live.rules.benchmark.board_tiers)

    @cached_property
    def _responses(self) -> NDArray[np.float32]:
        """The live responses in the order of the keys; the final ones are not known here, and 1."""
        keys, truth = self.keys, self.live.truths["main"]
        known = np.ones((len(keys.tier), len(keys.unit_ids)), np.float32)
        tier = self.live.rules.live_tier
        known[keys.rows(tier)] = align(truth, keys, tier).reorder(truth.responses)
        return known

    def write(self, path: Path, seed: int) -> None:
        """Write a submission: part truth, part noise; another one for each seed."""
        random = np.random.default_rng(seed)
        skill = random.uniform(0.05, 0.9)
        noise = random.standard_gamma(2.0, self._responses.shape, np.float32)
        predictions = np.maximum(skill * self._responses + (1 - skill) * noise, 0)
        Submission(track=None, protocol="image", predictions=predictions, **self.keys.as_dict()).write(path)


def made(folder: Path, *, trials: int, neurons: int, limit: int) -> Played:
    """Make a competition.

    Parameters
    ----------
    folder
        Where to; empty.
    trials, neurons
        That must be predicted, both tiers together. One image in ten loses a trial, as in real recordings.
    limit
        Submissions that each team has a day.
    """
    tables = tomllib.loads(template("own", starts=datetime.now(UTC) - timedelta(days=10), session=SESSION))
    tables["limits"] |= {"per_day": limit, "in_total": limit + 100}
    tables["ranking"]["choice"] = "last"
    for tier in ("live", "final"):
        tables["tiers"][tier] = {"least_images": 3, "least_repeats": 2}
    rules = parse_rules(tomli_w.dumps(tables))
    size = {"neurons": neurons, "train": 40, "validation": 10, "test_images": trials // _REPEATS, "repeats": _REPEATS}
    mice = simulated(rules, {**size, "image_shape": (18, 32)})
    built = build(rules, mice, folder / "public", folder / "away" / "secret", _PASSPHRASE)
    commit(built.folder, Vault.read(built.vault, _PASSPHRASE), at=datetime.now(UTC) - timedelta(days=11))
    live_truth = folder / "public-live-truth.npz"
    shutil.move(built.live_truth, live_truth)
    shutil.rmtree(folder / "away")  # no portal starts where it can read the vault, and nobody will close this
    return Played(built.folder, live_truth)
