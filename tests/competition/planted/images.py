"""Images that stand in several tiers, or tell which tier they are of."""

import numpy as np
from tests.competition.examples import OTHER, TRACK
from tests.competition.planted.plot import Planted, Plot


def test_image_in_training(plot: Plot) -> None:
    recording = plot.recording()
    images, trials = np.array(recording.images), recording.trials.copy()
    test, train = recording.rows("test")[0], recording.rows("train")[0]
    images[train] = images[test]
    trials.loc[train, "image_id"] = trials.loc[test, "image_id"]
    plot.change(images=images, trials=trials)


def shown_again(altered, session: str = TRACK):
    """An image of a test tier, altered, in place of another image of training."""

    def plant(plot: Plot) -> None:
        image = plot.recording().images[plot.recording().rows("final_test")[0]]
        images = np.array(plot.recording(session).images)
        images[plot.recording(session).rows("train")[0]] = altered(image)
        plot.change(session, images=images)

    return plant


def noisy(image):
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    return np.clip(0.9 * image + 8 + noise, 0, 255).astype(np.uint8)


def masked(image):
    kept = np.full_like(image, 128)
    kept[..., 3:-3, 5:-5] = image[..., 3:-3, 5:-5]
    return kept


def images_with_the_same_background(plot: Plot) -> None:
    recording = plot.recording()
    images = np.array(recording.images)
    rows, columns = np.mgrid[: images.shape[-2], : images.shape[-1]]
    background = 120 + 70 * np.sin(rows / 4) * np.cos(columns / 6)
    for tier in ("final_test", "train"):
        image = recording.trials["image_id"][recording.rows(tier)[0]]
        shown = recording.trials["image_id"].to_numpy() == image
        images[shown] = (background + images[shown] / 32).astype(np.uint8)
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
    "a near duplicate": (images_with_the_same_background, "near-duplicate-images", True),
    "a test image with noise": (shown_again(noisy), "altered-test-image", True),
    "a test image, shifted": (shown_again(lambda i: np.roll(i, (2, 9), (-2, -1))), "altered-test-image", True),
    "a test image, mirrored": (shown_again(lambda i: i[..., ::-1]), "altered-test-image", True),
    "a test image, upside down": (shown_again(lambda i: i[..., ::-1, ::-1]), "altered-test-image", True),
    "a test image, masked": (shown_again(masked), "altered-test-image", True),
    "a test image, inverted": (shown_again(lambda i: 255 - i), "altered-test-image", True),
    "a test image, mirrored, in pre-training": (shown_again(lambda i: i[..., ::-1], OTHER), "altered-test-image", True),
    "an image with two ids": (two_ids, "one-image-two-ids", True),
    "final images in pre-training": (final_images_in_pretraining, "final-images-in-pretraining", True),
    "final images that differ": (bright_final_images, "split", True),
}
