"""Orders and names that come from seeds, or from a lab's database."""

import base64
import hashlib
import json
import random

import numpy as np
from tests.competition.examples import TRACK, TRACK_PLUS
from tests.competition.planted.plot import Planted, Plot, altered, indexed


def shuffled(permutation, session: str = TRACK, tier: str | None = None):
    """Put the trials (of a tier, within its places) into the order that a permutation of time gives."""

    def plant(plot: Plot) -> None:
        order, recording = plot.order(session), plot.recording(session)
        rows = np.arange(len(order))
        own = rows if tier is None else np.flatnonzero(recording.trials["tier"].to_numpy() == tier)
        in_time = own[np.argsort(order[own])]
        rows[own] = in_time[permutation(len(own))]
        arrays = {name: values[rows] for name, values in recording.arrays.items()}
        trials = recording.trials.iloc[rows].reset_index(drop=True)
        plot.rewrite(altered(recording, trials=trials, keep_statistics=True, **arrays))

    return plant


def by_random(count):
    things = list(range(count))
    random.Random(202).shuffle(things)
    return np.array(things)


def by_torch(count):
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(15)).numpy()


def lab(write, encode=lambda data: hashlib.md5(data).hexdigest()):
    def plant(plot: Plot) -> None:
        animal, session, scan = map(int, TRACK.split("-"))
        indexed(plot, lambda n: encode(write(animal, session, scan, n).encode()))

    return plant


def key(animal, session, scan, n):
    return {"animal_id": animal, "session": session, "scan_idx": scan, "trial_idx": n}


def in_base_64(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def seed_in_base_64(plot: Plot) -> None:
    text = base64.b64encode(b'{"seed": 48151623421, "made": "2021-06-01"}').decode()
    (plot.folder / "README.md").write_text(f"Provenance: {text}")


def seed_of_a_generator(plot: Plot) -> None:
    (plot.folder / "README.md").write_text("shuffled with rng = np.random.default_rng(918273)\n")


def random_state(plot: Plot) -> None:
    (plot.folder / "README.md").write_text("We used `df.sample(frac=1, random_state=71)`.\n")


PLANTED: Planted = {
    "shuffled by random.Random": (shuffled(by_random), "small-seed", False),
    "shuffled by torch": (shuffled(by_torch), "small-seed", False),
    "shuffled by RandomState, the other way": (
        shuffled(lambda n: np.argsort(np.random.RandomState(20210601 % 2**32).permutation(n))),
        "small-seed",
        False,
    ),
    "shuffled by default_rng": (shuffled(lambda n: np.random.default_rng(201).permutation(n)), "small-seed", False),
    "sampled by random": (
        shuffled(lambda n: np.array(random.Random(99).sample(range(n), n))),
        "small-seed",
        False,
    ),
    "sorted by random numbers": (shuffled(lambda n: np.random.RandomState(3).rand(n).argsort()), "small-seed", False),
    "one tier shuffled by a seed": (
        shuffled(lambda n: np.random.default_rng(7).permutation(n), tier="test"),
        "small-seed",
        False,
    ),
    "shuffled by a seed, seen without the vault": (
        shuffled(lambda n: np.random.default_rng(0).permutation(n), TRACK_PLUS),
        "small-seed",
        True,
    ),
    "a lab's numbers, joined": (lab(lambda *k: "-".join(map(str, k))), "order-in-index", True),
    "a lab's numbers as a tuple": (lab(lambda *k: str(k)), "order-in-index", True),
    "a lab's key as JSON": (lab(lambda *k: json.dumps(key(*k))), "order-in-index", True),
    "a lab's key as sorted, compact JSON": (
        lab(lambda *k: json.dumps(key(*k), sort_keys=True, separators=(",", ":"))),
        "order-in-index",
        True,
    ),
    "a key hash of DataJoint": (
        lab(lambda *k: "".join(str(v) for _, v in sorted(key(*k).items()))),
        "order-in-index",
        True,
    ),
    "hashes in base 64": (lab(lambda a, s, c, n: str(n), in_base_64), "order-in-index", True),
    "a seed in base 64": (seed_in_base_64, "seed-in-provenance", True),
    "the seed of a generator": (seed_of_a_generator, "seed-in-provenance", True),
    "a random state": (random_state, "seed-in-provenance", True),
}
