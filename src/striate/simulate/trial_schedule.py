"""What is shown when: images, tiers, repeats and the order of the trials."""

import hmac

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.config import RecordingSettings
from striate.simulate.seeds import Seed

# Image ids are drawn from this many; those of test images are set apart, the same for all mice of a seed.
_IMAGE_IDS = 1_000_000
_SET_ASIDE = 10_000  # ids for live test images, and as many for final ones
_LOST = 0.1  # fraction of test images of which one trial is lost


def draw_schedule(settings: RecordingSettings, seed: Seed) -> tuple[pd.DataFrame, int]:
    """Draw the trials of one recording.

    Returns
    -------
    trials : DataFrame, T rows
        ``tier``, ``image_id`` and ``order``, the number of the trial in the order of presentation. Rows are in a random
        order, which says nothing about time.
    shown
        Number of trials that were shown, including those that were lost afterwards; `order` is below.
    """
    rng = seed.generator(f"schedule of {settings.session}")
    shuffled = seed.generator("image ids").permutation(_IMAGE_IDS)
    own = seed.generator(f"image ids of {settings.session}").permutation(shuffled[2 * _SET_ASIDE :])
    once = settings.train + settings.validation
    tiers = np.repeat(["train", "validation"], [settings.train, settings.validation])
    finals = settings.final_images if settings.track else 0
    repeated = [("test", shuffled[: settings.test_images]), ("final_test", shuffled[_SET_ASIDE : _SET_ASIDE + finals])]
    tier = np.concatenate([tiers, *(np.repeat([name], len(ids) * settings.repeats) for name, ids in repeated)])
    image_id = np.concatenate([own[:once], *(np.repeat(ids, settings.repeats) for _, ids in repeated)])
    kept = np.ones(len(tier), dtype=np.bool_)
    if settings.repeats > 2:
        images = np.arange(once, len(tier), settings.repeats)
        kept[images[rng.random(len(images)) < _LOST]] = False
    order = rng.permutation(len(tier))
    table = pd.DataFrame({"tier": tier, "image_id": image_id.astype(np.int64), "order": order.astype(np.int64)})[kept]
    return table.iloc[rng.permutation(len(table))].reset_index(drop=True), len(tier)


def hash_trial_indices(order: NDArray[np.int64], session: str, seed: Seed) -> list[str]:
    """Names of trials that do not tell their order: keyed hashes, 32 hexadecimal digits like an MD5.

    An unkeyed hash of a small number would be undone by hashing all small numbers.
    """
    key = seed.key(f"trial_idx of {session}")
    return [hmac.digest(key, str(number).encode(), "sha256")[:16].hex() for number in order.tolist()]
