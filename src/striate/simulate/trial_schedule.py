"""The trials of a simulated recording: images, tiers, repeats and the order of presentation."""

import hmac

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.config import RecordingSettings
from striate.simulate.seeds import Seed

_IMAGE_IDS = 1_000_000  # number of possible image ids
_TEST_IDS = 10_000  # ids reserved for the images of each test tier; the same for all mice with the same seed
_LOST_FRACTION = 0.1  # fraction of test images that lose one trial


def draw_schedule(settings: RecordingSettings, seed: Seed) -> tuple[pd.DataFrame, int]:
    """Draw the trials of one recording.

    Parameters
    ----------
    settings
        Settings of the recording.
    seed
        Seed of the simulation.

    Returns
    -------
    trials : DataFrame, T rows
        Columns ``tier``, ``image_id`` and ``order``, the position of the trial in the order of presentation. The order of
        the rows is random and does not reveal the order of presentation.
    presented : int
        Number of presented trials, including lost ones. All values of ``order`` are smaller.
    """
    rng = seed.generator(f"schedule of {settings.session}")
    spec = settings.benchmark
    shuffled = seed.generator("image ids").permutation(_IMAGE_IDS)
    reserved = _TEST_IDS * max(2, len(spec.test_tiers))
    own = seed.generator(f"image ids of {settings.session}").permutation(shuffled[reserved:])
    once = settings.train + settings.validation
    tiers = np.repeat([spec.training_tier, spec.validation_tier], [settings.train, settings.validation])
    finals = settings.final_images if settings.track or not spec.tracks else 0
    final_tier = spec.board_tier("final")
    repeated = []
    for place, tier_name in enumerate(spec.test_tiers):
        count = finals if tier_name == final_tier else settings.test_images
        repeated.append((tier_name, shuffled[place * _TEST_IDS : place * _TEST_IDS + count]))
    tier = np.concatenate([tiers, *(np.repeat([name], len(ids) * settings.repeats) for name, ids in repeated)])
    image_id = np.concatenate([own[:once], *(np.repeat(ids, settings.repeats) for _, ids in repeated)])
    kept = np.ones(len(tier), dtype=np.bool_)
    if settings.repeats > 2:
        images = np.arange(once, len(tier), settings.repeats)
        kept[images[rng.random(len(images)) < _LOST_FRACTION]] = False
    order = rng.permutation(len(tier))
    table = pd.DataFrame({"tier": tier, "image_id": image_id.astype(np.int64), "order": order.astype(np.int64)})[kept]
    return table.iloc[rng.permutation(len(table))].reset_index(drop=True), len(tier)


def hash_trial_indices(order: NDArray[np.int64], session: str, seed: Seed) -> list[str]:
    """Return trial indices that hide the order of presentation: keyed hashes of 32 hexadecimal digits.

    The hash is keyed, because an unkeyed hash of a small integer can be inverted by hashing all small integers.
    """
    key = seed.key(f"trial_idx of {session}")
    return [hmac.digest(key, str(number).encode(), "sha256")[:16].hex() for number in order.tolist()]
