"""Images that stand in several tiers, or tell which tier they are of."""

import numpy as np
from tests.competition.examples import OTHER
from tests.competition.planted.plot import Planted, Plot


def test_image_in_training(plot: Plot) -> None:
    recording = plot.recording()
    images, trials = np.array(recording.images), recording.trials.copy()
    test, train = recording.rows("test")[0], recording.rows("train")[0]
    images[train] = images[test]
    trials.loc[train, "image_id"] = trials.loc[test, "image_id"]
    plot.change(images=images, trials=trials)


def nearly_the_same_image(plot: Plot) -> None:
    recording = plot.recording()
    images = np.array(recording.images)
    test, train = recording.rows("final_test")[0], recording.rows("train")[0]
    noise = np.random.default_rng(0).normal(0, 6, images[test].shape)
    images[train] = np.clip(0.9 * images[test] + 8 + noise, 0, 255).astype(np.uint8)
    plot.change(images=images)


def two_ids(plot: Plot) -> None:
    recording = plot.recording(OTHER)
    trials = recording.trials.copy()
    trials.loc[recording.rows("test")[0], "image_id"] = 999_999
    plot.change(OTHER, trials=trials)


def final_images_in_pretraining(plot: Plot) -> None:
    recording, other = plot.recording(), plot.recording(OTHER)
    images, trials = np.array(other.images), other.trials.copy()
    final, train = recording.rows("final_test")[0], other.rows("train")[0]
    images[train] = recording.images[final]
    trials.loc[train, "image_id"] = recording.trials.loc[final, "image_id"]
    plot.change(OTHER, images=images, trials=trials)


def bright_final_images(plot: Plot) -> None:
    """Live and final images are not alike."""
    recording = plot.recording()
    images, tests = np.array(recording.images), recording.rows("final_test")
    images[tests] = images[tests] // 8 + 220
    plot.change(images=images)


PLANTED: Planted = {
    "a test image in training": (test_image_in_training, "image-across-tiers", True),
    "a near duplicate": (nearly_the_same_image, "near-duplicate-images", True),
    "an image with two ids": (two_ids, "one-image-two-ids", True),
    "final images in pre-training": (final_images_in_pretraining, "final-images-in-pretraining", True),
    "final images that differ": (bright_final_images, "split", True),
}
