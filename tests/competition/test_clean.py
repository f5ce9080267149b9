"""Competitions in which nothing leaks raise no alarm, however small, and whatever their recordings show."""

import numpy as np
import pytest
from PIL import Image
from tests.competition.examples import OTHER, PASSPHRASE, TRACK, TRACK_PLUS, mouse, small_rules
from tests.competition.photographs import PHOTOGRAPHS
from tests.competition.planted import altered

import striate
from striate.competition import Vault, audit, build
from striate.competition.keys import CompetitionSeed

pytestmark = pytest.mark.slow


def alarms(folder, recordings, seed, rules=None):
    """What is found above a note in a competition that is built of recordings, with the vault and without."""
    made = build(
        rules or small_rules(),
        recordings,
        folder / "public",
        folder / "secret",
        PASSPHRASE,
        seed=CompetitionSeed((seed + 1) * 0x5EED_0123_4567_89AB_CDEF_0123_4567),
    )
    reports = [audit(made.folder), audit(made.folder, Vault.read(made.vault, PASSPHRASE))]
    return [f"{finding.rule}: {finding}" for report in reports for finding in report if finding.severity != "note"]


def mice(seed, **changes):
    """Two tracks and a mouse for pre-training."""
    sizes = {"finals": 5} | changes
    return [
        mouse(TRACK, seed=seed, **sizes),
        mouse(TRACK_PLUS, seed=seed, **sizes),
        mouse(OTHER, seed=seed, **sizes | {"finals": 0}),
    ]


def steady(recording):
    """Behaviour that resembles that of the trial before, but has no trend; few trials of a random walk have one by chance."""
    rng = np.random.default_rng([len(recording.trials), *recording.images[0, 0, 0, :4].tolist()])
    changed = {}
    for name in ("behavior", "pupil_center"):
        values = rng.normal(size=getattr(recording, name).shape)
        for trial in range(1, len(values)):
            values[trial] += 0.3 * values[trial - 1]
        changed[name] = (30 + values).astype(np.float32)
    return altered(recording, **changed)


def without_behavior(recording):
    silent = {name: np.zeros_like(getattr(recording, name)) for name in ("behavior", "pupil_center")}
    return altered(recording, **silent)


def rules_without_behavior():
    return small_rules(tracks__1__protocols=["image"], tracks__1__withhold=["behavior", "pupil_center"])


@pytest.mark.parametrize("seed", range(5))
def test_a_small_competition(seed, tmp_path):
    assert not alarms(tmp_path, mice(seed), seed)


@pytest.mark.parametrize("seed", range(3))
def test_tiers_of_a_few_trials(seed, tmp_path):
    recordings = [steady(each) for each in mice(seed, live=3, finals=3, repeats=2, training=16, validation=3)]
    assert not alarms(tmp_path, recordings, seed)


@pytest.mark.parametrize("seed", range(3))
def test_many_images_that_are_shown_once_or_twice(seed, tmp_path):
    recordings = mice(seed, live=30, finals=30, repeats=2, training=150, validation=40, neurons=30)
    assert not alarms(tmp_path, recordings, seed)


@pytest.mark.parametrize("seed", range(3))
def test_recordings_without_behavior(seed, tmp_path):
    assert not alarms(tmp_path, [without_behavior(each) for each in mice(seed)], seed, rules_without_behavior())


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("behavior", [True, False], ids=["behavior", "no behavior"])
def test_photographs(seed, behavior, tmp_path, shared):
    """Live and final images are each cut from one photograph, those of training and validation from others."""
    archive = striate.open(next((shared / "archives").glob("static90005-1-1*.zip")))
    rows = {image: row for row, image in enumerate(archive.trials["image_id"].tolist())}
    rng = np.random.default_rng(seed)
    live, final, *others = rng.permutation(list(PHOTOGRAPHS)).tolist()
    shown = {
        "test": PHOTOGRAPHS[live],
        "final_test": PHOTOGRAPHS[final],
        "train": (public := rng.permutation([image for name in others for image in PHOTOGRAPHS[name]]).tolist())[:60],
        "validation": public[60:],
    }
    recordings = []
    for recording in mice(seed, shape=(36, 64)):
        images = np.array(recording.images)
        ids = recording.trials["image_id"].to_numpy()
        for tier, known in shown.items():
            shown_in_tier = np.unique(ids[recording.rows(tier)]).tolist() if tier in recording.tiers else []
            for number, image in enumerate(shown_in_tier):
                picture = Image.fromarray(archive.images[rows[known[number]]][0]).resize((64, 36))
                images[ids == image] = np.clip(1.5 * np.asarray(picture, dtype=np.float64) - 60, 0, 255)
        # neurons answer to contrast, and so do the size of a picture in the zip and the number of its saturated pixels
        contrast = images.std(axis=(1, 2, 3)) / images.std()
        responses = (recording.responses * contrast[:, None] ** 2).astype(np.float32)
        changed = altered(recording, images=images, responses=responses)
        recordings.append(changed if behavior else without_behavior(changed))
    found = alarms(tmp_path, recordings, seed, None if behavior else rules_without_behavior())
    # a photograph for the live images and one for the final images are no fair split, and the audit says so
    assert not [finding for finding in found if not finding.startswith("split: ")]


@pytest.mark.parametrize("session", ["90001-1-1", "90005-1-1"])
def test_the_example_archives(session, tmp_path, shared):
    """Each has one real leak, the derivative of the pupil's dilation; 90005 also has images of one photograph in several tiers."""
    full = striate.open(next((shared / "archives").glob(f"static{session}*.zip")))
    track = {"session": session, "withhold": [], "protocols": ["image + behaviour"]}
    rules = small_rules("own", **{f"tracks__0__{key}": value for key, value in track.items()})
    overlap = {"altered-test-image"} if session == "90005-1-1" else set()
    (tmp_path / "stored").mkdir()
    found = alarms(tmp_path / "stored", [full], 0, rules)
    assert {finding.split(":")[0] for finding in found} == {"order-from-neighbors"} | overlap
    behavior = np.array(full.behavior)
    behavior[:, 1] = np.random.default_rng(0).normal(0, behavior[:, 1].std(), len(behavior))
    (tmp_path / "mended").mkdir()
    found = alarms(tmp_path / "mended", [altered(full, behavior=behavior)], 0, rules)
    assert {finding.split(":")[0] for finding in found} == overlap
