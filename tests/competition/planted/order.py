"""The order of trials can be read off names, fields, files or pixels."""

import hashlib
import hmac

import numpy as np
import pandas as pd
from tests.competition.examples import TRACK, TRACK_PLUS
from tests.competition.planted.plot import (
    Planted,
    Plot,
    altered,
    indexed,
    with_field,
)


def order_as_numbers(plot: Plot) -> None:
    indexed(plot, lambda n: n + 3)


def md5_of_numbers(plot: Plot) -> None:
    indexed(plot, lambda n: hashlib.md5(str(n).encode()).hexdigest())


def sha256_of_bytes(plot: Plot) -> None:
    indexed(plot, lambda n: hashlib.sha256(n.to_bytes(8, "little")).hexdigest()[:32])


def salted_hash(plot: Plot) -> None:
    indexed(plot, lambda n: hashlib.sha1(f"{TRACK}_{n}".encode()).hexdigest())


def guessable_key(plot: Plot) -> None:
    indexed(plot, lambda n: hmac.digest(b"sensorium2022", str(n).encode(), "sha256").hex())


def hash_of_file_numbers(plot: Plot) -> None:
    names = [hashlib.md5(f"{n}.npy".encode()).hexdigest() for n in range(len(plot.recording().trials))]
    plot.rewrite(with_field(plot.recording(), trial_idx=names))


def clocks_as_names(plot: Plot) -> None:
    indexed(plot, lambda n: f"{1622541600 + 3 * n:032x}")


def sortable_names(plot: Plot) -> None:
    rng = np.random.default_rng(0)
    indexed(plot, lambda n: f"{n * 2**128 // 300 + int(rng.integers(2**60)):032x}", TRACK_PLUS)


def presentation_times(plot: Plot) -> None:
    times = [f"Timestamp('2021-06-01 10:{n // 60:02d}:{n % 60:02d}')" for n in plot.order()]
    plot.rewrite(with_field(plot.recording(), frame_trial_ts=times))


def seconds(plot: Plot) -> None:
    plot.rewrite(with_field(plot.recording(TRACK_PLUS), exposure=plot.order(TRACK_PLUS) * 2.5 + 3.0))


def repeat_numbers(plot: Plot) -> None:
    trials = plot.recording().trials
    plot.rewrite(with_field(plot.recording(), repeat=trials.groupby("image_id").cumcount().to_numpy()))


def blocks_as_classes(plot: Plot) -> None:
    plot.rewrite(with_field(plot.recording(), frame_image_class=[f"block{n // 10:02d}" for n in plot.order()]))


def files_in_time(plot: Plot, session: str = TRACK_PLUS) -> None:
    rows = np.argsort(plot.order(session))
    recording = plot.recording(session)
    arrays = {name: values[rows] for name, values in recording.arrays.items()}
    plot.rewrite(altered(recording, trials=recording.trials.iloc[rows], keep_statistics=True, **arrays))


def files_in_time_without_behavior(plot: Plot) -> None:
    files_in_time(plot, TRACK)


def ids_in_time(plot: Plot) -> None:
    recording = plot.recording(TRACK_PLUS)
    place = (
        pd.Series(plot.order(TRACK_PLUS)).groupby(recording.trials["image_id"].to_numpy()).transform("min").to_numpy()
    )
    plot.rewrite(with_field(recording, image_id=100_000 + place))


def watermark(plot: Plot) -> None:
    images = np.array(plot.recording().images)
    images[:, 0, 0, 0] = plot.order() % 256
    plot.change(images=images)


PLANTED: Planted = {
    "numbers for names": (order_as_numbers, "order-in-index", True),
    "MD5 of numbers": (md5_of_numbers, "order-in-index", True),
    "SHA-256 of bytes, cut": (sha256_of_bytes, "order-in-index", True),
    "a salted hash": (salted_hash, "order-in-index", True),
    "a guessable key": (guessable_key, "order-in-index", True),
    "a hash of file numbers": (hash_of_file_numbers, "order-in-index", True),
    "clocks for names": (clocks_as_names, "order-in-index", True),
    "names that sort by time": (sortable_names, "order-in-index", True),
    "presentation times": (presentation_times, "trial-time", True),
    "seconds": (seconds, "trial-time", True),
    "repeat numbers": (repeat_numbers, "extra-field", True),
    "blocks as classes": (blocks_as_classes, "telling-field", True),
    "files in the order of time": (files_in_time, "order-in-files", True),
    "files in the order of time, without behaviour": (files_in_time_without_behavior, "order-in-files", False),
    "image ids in the order of time": (ids_in_time, "order-in-image-ids", True),
    "a watermark": (watermark, "image-varies", True),
}
