"""A small competition: mice as a lab has them (trials in the order of time, with clocks), and rules for them."""

import shutil
import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

from striate.competition import Built, Receipt, Rules, Vault, build, commit, submit, template
from striate.competition.keys import CompetitionSeed
from striate.competition.rules import parse_rules
from striate.data.standardisation import Standardisation
from striate.recordings import Recording
from striate.recordings.layout import archive_stem
from striate.simulate import Simulation
from striate.submissions import Submission

PASSPHRASE = "correct horse battery staple"
STARTS = datetime(2026, 3, 1, tzinfo=UTC)
DURING = datetime(2026, 4, 1, tzinfo=UTC)
AFTER = datetime(2026, 8, 1, tzinfo=UTC)
SEED = CompetitionSeed(0x5EED_0123_4567_89AB_CDEF_0123_4567_89AB)
TRACK, TRACK_PLUS, OTHER = "11-1-1", "12-1-1", "13-1-1"


def mouse(
    session: str,
    *,
    finals: int = 0,
    live: int = 6,
    repeats: int = 4,
    training: int = 60,
    validation: int = 10,
    neurons: int = 14,
    shape: tuple[int, int] = (18, 32),
    seed: int = 0,
) -> Recording:
    """A full recording whose trials stand in the order of time, with a clock, as labs keep them.

    Live (and final) images are the same for all mice; responses follow the pixels, and behaviour drifts.
    """
    rng = np.random.default_rng([*(int(part) for part in session.split("-")), *([seed] if seed else [])])
    own = 1000 * int(session.split("-")[0])
    tier = ["train"] * training + ["validation"] * validation + ["test"] * live * repeats
    image = [own + i for i in range(training + validation)] + list(np.repeat(np.arange(1, live + 1), repeats))
    tier += ["final_test"] * finals * repeats
    image += list(np.repeat(np.arange(101, 101 + finals), repeats))
    order = rng.permutation(len(tier))
    tiers, ids = np.array(tier)[order], np.array(image, dtype=np.int64)[order]
    pictures = {int(i): np.random.default_rng([9, int(i)]).integers(0, 256, (1, *shape), np.uint8) for i in set(image)}
    images = np.stack([pictures[int(i)] for i in ids])
    count = len(tiers)
    arousal = np.cumsum(rng.normal(0, 0.3, count))
    drive = images.reshape(count, -1)[:, rng.permutation(images[0].size)[:neurons]] / 64
    responses = rng.gamma(4.0, (drive + 0.2) / 4 * np.exp(0.05 * arousal)[:, None]).astype(np.float32)
    behavior = np.stack([30 + arousal, rng.normal(0, 1, count), np.abs(arousal) + rng.exponential(0.2, count)], axis=1)
    pupil_center = np.stack([118 + 0.5 * arousal, 82 - 0.3 * arousal], axis=1) + rng.normal(0, 0.1, (count, 2))
    clock = [f"Timestamp('2021-06-01 10:{i // 60 % 60:02d}:{i % 60:02d}')" for i in range(count)]
    return Recording(
        session,
        pd.DataFrame(
            {
                "unit_id": np.arange(1, neurons + 1) * 3,
                "area": "V1",
                "layer": "L2/3",
                **{axis: rng.uniform(0, 600, neurons).round(2) for axis in "xyz"},
                "depth_class": "upper",
            }
        ),
        pd.DataFrame(
            {
                "tier": tiers,
                "image_id": ids,
                "trial_idx": np.arange(count) + 7,
                "frame_trial_ts": clock,
                "block": np.arange(count) // 20,
            }
        ),
        images,
        responses,
        behavior.astype(np.float32),
        pupil_center.astype(np.float32),
    )


def tables(kind: str = "sensorium2022", **changes: Any) -> dict[str, Any]:
    """A template as tables, made small; ``tiers__split="stratified"`` changes a key."""
    rules = tomllib.loads(template(kind, starts=STARTS, session=TRACK if kind == "own" else None))
    for tier in ("live", "final"):
        rules["tiers"][tier] = {"least_images": 3, "least_repeats": 2}
    if kind == "sensorium2022":
        for track, session in zip(rules["tracks"], (TRACK, TRACK_PLUS), strict=True):
            track["session"] = session
        rules["pretraining"]["sessions"] = [OTHER]
    rules["ranking"]["resamples"] = 200
    for path, value in changes.items():
        table: Any = rules
        *above, key = path.split("__")
        for name in above:
            table = table[int(name)] if name.isdigit() else table[name]
        table[key] = value
    return rules


def small_rules(kind: str = "sensorium2022", **changes: Any) -> Rules:
    """Rules of a small competition."""
    return parse_rules(tomli_w.dumps(tables(kind, **changes)))


def mice() -> list[Recording]:
    """The recordings of a small competition in the structure of 2022: two tracks, one mouse for pre-training."""
    return [mouse(TRACK, finals=5), mouse(TRACK_PLUS, finals=5), mouse(OTHER)]


def built(folder: Path, rules: Rules | None = None, recordings: list[Recording] | None = None) -> Built:
    """Build a small competition."""
    return build(
        rules or small_rules(), recordings or mice(), folder / "public", folder / "secret", PASSPHRASE, seed=SEED
    )


def predictions(made: Built, track: str, skill: float, seed: int = 0) -> Submission:
    """What a model of some skill (0 to 1) would submit: part truth, part noise; the vault is opened for that."""
    vault = Vault.read(made.vault, PASSPHRASE)
    rng = np.random.default_rng(seed)
    truths = [vault.live[track], vault.final[track]]
    values = [np.maximum(skill * t.responses + (1 - skill) * rng.gamma(2.0, 0.5, t.responses.shape), 0) for t in truths]
    rules = made.rules.track(track)
    return Submission(
        session=rules.session,
        track=None,
        protocol=rules.protocols[0],
        unit_ids=truths[0].unit_ids,
        tier=np.concatenate([t.tier for t in truths]),
        trial_idx=np.concatenate([t.trial_idx for t in truths]),
        image_id=np.concatenate([t.image_id for t in truths]),
        predictions=np.concatenate(values).astype(np.float32),
        benchmark=made.rules.benchmark,
    )


def modelled(made: Built, vault: Vault, mouse: Simulation, track: str, skill: float, seed: int = 0) -> Submission:
    """What a model of the image alone would submit: the expected responses to the image, mixed with those to other images.

    Unlike a mixture of measured responses it has no part in their noise, so the ceilings bound it.
    """
    from striate.recordings import open as open_recording

    public = open_recording(made.folder / "archives" / f"{archive_stem(mouse.recording.session)}.zip")
    rows = vault.mappings[mouse.recording.session].row
    shown = pd.Series(mouse.recording.trials["image_id"].to_numpy())
    of_image = pd.DataFrame(mouse.truth.expected).groupby(shown).transform("mean").to_numpy(np.float32)[rows]
    responses = Standardisation.from_recording(public).responses(of_image)
    at = {str(index): row for row, index in enumerate(public.trials["trial_idx"])}
    rng = np.random.default_rng(seed)
    truths, values = (vault.live[track], vault.final[track]), []
    for truth in truths:
        expected = responses[[at[str(index)] for index in truth.trial_idx]]
        images, first, image = np.unique(truth.image_id, return_index=True, return_inverse=True)
        others = np.roll(expected[first], int(rng.integers(1, len(images))), axis=0)[image]
        values.append(np.maximum(skill * expected + (1 - skill) * others, 0))
    return Submission(
        session=truths[0].session,
        track=None,
        protocol=made.rules.track(track).protocols[0],
        unit_ids=truths[0].unit_ids,
        predictions=np.concatenate(values).astype(np.float32),
        **{
            name: np.concatenate([getattr(truth, name) for truth in truths])
            for name in ("tier", "trial_idx", "image_id")
        },
    )


@dataclass
class Game:
    """A competition that goes on: a copy of the small one, committed to, with a place for submissions."""

    built: Built
    folder: Path
    store: Path
    scratch: Path

    @property
    def vault(self) -> Vault:
        return Vault.read(self.built.vault, PASSPHRASE)

    def file(self, skill: float, track: str = "sensorium", seed: int = 0, **changes: Any) -> Path:
        """A submission's file."""
        submission = replace(predictions(self.built, track, skill, seed), **changes)
        path = self.scratch / f"{track}-{skill}-{seed}-{len(list(self.scratch.iterdir()))}.parquet"
        submission.write(path)
        return path

    def submit(self, team: str, skill: float, track: str = "sensorium", *, hours: float = 0, **changes: Any) -> Receipt:
        """Submit as a team, some hours after the middle of the live phase."""
        baseline = changes.pop("baseline", False)
        file = self.file(skill, track, **changes)
        return submit(self.folder, file, team, self.store, at=DURING + timedelta(hours=hours), baseline=baseline)


def play(made: Built, folder: Path) -> Game:
    """Copy a competition, and commit to it before it starts."""
    shutil.copytree(made.folder, folder / "public")
    game = Game(made, folder / "public", folder / "store", folder / "scratch")
    game.scratch.mkdir()
    commit(game.folder, game.vault, at=STARTS - timedelta(days=1))
    return game
