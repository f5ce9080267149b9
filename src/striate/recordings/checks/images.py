"""Rules about image ids, repeats, and images that are shown in more than one tier."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from striate.benchmarks import BenchmarkSpec
from striate.errors import listed
from striate.recordings import layout
from striate.recordings.checks.report import Finding
from striate.recordings.checks.rules import make_finding
from striate.recordings.checks.scan import TrialScan


def check(scan: TrialScan, trials: pd.DataFrame, benchmark: BenchmarkSpec) -> Iterator[Finding]:
    """Check image ids, images and repeats."""
    shown = trials.assign(trial=np.arange(len(trials)), pixels=scan.image_hash)
    shown = shown[scan.image_hash != b""]
    yield from _ids_and_images(shown)
    yield from _across_tiers(shown, benchmark)
    yield from _repeats(trials, benchmark)


def _ids_and_images(shown: pd.DataFrame) -> Iterator[Finding]:
    images_of_id = shown.groupby("image_id")["pixels"].nunique()
    ambiguous = images_of_id[images_of_id > 1].index.tolist()
    if ambiguous:
        first = int(shown.loc[shown["image_id"] == ambiguous[0], "trial"].iloc[0])
        message = f"{len(ambiguous)} image ids have different images: {listed(ambiguous)}."
        fix = "Give each image its own id in meta/trials/frame_image_id.npy."
        yield make_finding("one-image-one-id", layout.data_member("images", first), message, fix)
    ids_of_image = shown.groupby("pixels")["image_id"].unique()
    duplicates = ["/".join(map(str, ids)) for ids in ids_of_image if len(ids) > 1]
    if duplicates:
        message = f"{len(duplicates)} images have more than one id: {listed(duplicates)}."
        yield make_finding("one-id-one-image", "meta/trials/frame_image_id.npy", message, "Give one image one id.")


def _across_tiers(shown: pd.DataFrame, benchmark: BenchmarkSpec) -> Iterator[Finding]:
    member = "meta/trials/tiers.npy"
    tiers_of_image = shown.groupby("pixels")["tier"].agg(set)
    first_id = shown.groupby("pixels")["image_id"].first()
    tests = set(benchmark.test_tiers)
    training = set(benchmark.training_tiers)
    leaked = first_id[[bool(t & tests) and bool(t & training) for t in tiers_of_image]].tolist()
    if leaked:
        message = (
            f"{len(leaked)} images are shown both in a test tier and in training or validation: ids {listed(leaked)}."
        )
        yield make_finding(
            "image-across-tiers", member, message, "Remove them from training, or scores will be too high."
        )
    both = first_id[[training <= t for t in tiers_of_image]].tolist()
    if both:
        message = f"{len(both)} images are shown both in training and in validation: ids {listed(both)}."
        yield make_finding(
            "image-in-training-and-validation", member, message, "Keep all trials of an image in one tier."
        )
    for first, second in combinations(benchmark.test_tiers, 2):
        shared = first_id[[{first, second} <= t for t in tiers_of_image]].tolist()
        if not shared:
            continue
        message = f"{len(shared)} images are shown both in {first} and in {second}: ids {listed(shared)}."
        yield make_finding("image-across-tiers", member, message, "Keep all trials of an image in one tier.")


def _repeats(trials: pd.DataFrame, benchmark: BenchmarkSpec) -> Iterator[Finding]:
    for tier in benchmark.test_tiers:
        counts = trials.loc[trials["tier"] == tier, "image_id"].value_counts()
        if counts.empty:
            continue
        low, high = int(counts.min()), int(counts.max())
        if high == 1:
            message = f"each of the {len(counts)} images of tier {tier} is shown once; FEVE and ceilings need repeats."
            yield make_finding("no-repeats", "meta/trials/frame_image_id.npy", message)
        elif low != high:
            message = f"the {len(counts)} images of tier {tier} are shown {low} to {high} times."
            yield make_finding("ragged-repeats", "meta/trials/frame_image_id.npy", message)
