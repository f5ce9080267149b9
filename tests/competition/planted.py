"""Leaks planted one by one into a copy of a small competition: what an organiser might get wrong."""

import hashlib
import hmac
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.competition.examples import OTHER, SEED, TRACK, TRACK_PLUS, mouse

from striate.competition import Built
from striate.competition.manifest import Manifest, listed_file
from striate.recordings import Recording, npy, write
from striate.recordings import open as open_recording
from striate.recordings.layout import archive_stem
from striate.simulate.seeds import Seed

MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass
class Plot:
    """A copy of a competition that may be spoilt."""

    folder: Path
    built: Built

    def archive(self, session: str = TRACK) -> Path:
        return self.folder / "archives" / f"{archive_stem(session)}.zip"

    def recording(self, session: str = TRACK) -> Recording:
        return open_recording(self.archive(session))

    def order(self, session: str = TRACK) -> np.ndarray:
        """Place of each public trial in time."""
        from tests.competition.examples import PASSPHRASE

        from striate.competition import Vault

        return Vault.read(self.built.vault, PASSPHRASE).mappings[session].order

    def rewrite(self, recording: Recording, session: str | None = None) -> None:
        """Replace an archive by a recording, as the build would have written it."""
        write(recording, self.archive(session or recording.session), overwrite=True)

    def change(self, session: str = TRACK, **changes: Any) -> None:
        self.rewrite(altered(self.recording(session), **changes), session)

    def rezip(self, edit: Callable[[list[tuple[zipfile.ZipInfo, bytes]]], list[tuple[zipfile.ZipInfo, bytes]]], session: str = TRACK, comment: bytes = b"") -> None:  # fmt: skip
        """Write the members of a zip again, after an edit of their list."""
        path = self.archive(session)
        with zipfile.ZipFile(path) as archive:
            entries = [(info, archive.read(info)) for info in archive.infolist()]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for info, content in edit(entries):
                archive.writestr(info, content)
            archive.comment = comment

    def member(self, name: str, content: bytes, session: str = TRACK) -> None:
        """Replace or add one member, as quietly as possible."""
        full = f"{self.archive(session).stem}/{name}"

        def edit(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> list[tuple[zipfile.ZipInfo, bytes]]:
            info = zipfile.ZipInfo(full, MOMENT)
            info.create_system, info.external_attr, info.compress_type = 3, 0o100644 << 16, zipfile.ZIP_DEFLATED
            kept = [(i, content if i.filename == full else data) for i, data in entries]
            return kept if any(i.filename == full for i, _ in entries) else sorted([*kept, (info, content)], key=_place)

        self.rezip(edit, session)

    def relist(self) -> None:
        """Let the manifest list what there is: the leak was there from the beginning."""
        manifest = Manifest.read(self.folder)
        files = tuple(listed_file(self.folder, f.path, f.session, f.track) for f in manifest.files)
        (self.folder / "manifest.json").write_text(manifest.model_copy(update={"files": files}).model_dump_json())


def _place(entry: tuple[zipfile.ZipInfo, bytes]) -> tuple[Any, ...]:
    parts = entry[0].filename.split("/")
    number = parts[-1].removesuffix(".npy")
    return (
        parts[1] != "data",
        parts[2] if parts[1] == "data" else "",
        int(number) if number.isdigit() else -1,
        entry[0].filename,
    )


def altered(
    recording: Recording, *, keep_statistics: bool = False, session: str | None = None, **changes: Any
) -> Recording:
    """A recording with some parts exchanged."""
    parts = {name: getattr(recording, name) for name in ("neurons", "trials", *recording.arrays)} | changes
    neurons = parts.pop("neurons")
    if session is not None:
        neurons = neurons.drop(columns=["animal_id", "session", "scan_idx"])
    statistics = recording.statistics if keep_statistics else None
    return Recording(session or recording.session, neurons, statistics=statistics, **parts)


def with_field(recording: Recording, **columns: Any) -> Recording:
    return altered(recording, trials=recording.trials.assign(**columns), keep_statistics=True)


def indexed(plot: Plot, name: Callable[[int], object], session: str = TRACK) -> None:
    """Name trials by a function of their number in time."""
    index = [name(int(place)) for place in plot.order(session)]
    plot.rewrite(with_field(plot.recording(session), trial_idx=index))


def poke(recording: Recording, variable: str, rows: Any, value: float) -> Recording:
    values = np.array(getattr(recording, variable))
    values[rows] = value
    return altered(recording, keep_statistics=True, **{variable: values})


# ---- what is withheld


def one_response(plot: Plot) -> None:
    recording = plot.recording()
    plot.rewrite(poke(recording, "responses", (recording.rows("final_test")[3], 5), 0.25))


def negative_zero(plot: Plot) -> None:
    recording = plot.recording()
    plot.rewrite(poke(recording, "responses", (recording.rows("test")[3], 5), -0.0))


def one_behavior(plot: Plot) -> None:
    plot.rewrite(poke(plot.recording(), "behavior", 17, 1.0))


def eye_position(plot: Plot) -> None:
    full = mouse(TRACK, finals=5)
    rows = plot_rows(plot)
    plot.rewrite(altered(plot.recording(), pupil_center=full.pupil_center[rows]))


def plot_rows(plot: Plot, session: str = TRACK) -> np.ndarray:
    return plot.order(session)  # the full mice stand in the order of time


def statistics_over_all(plot: Plot) -> None:
    from striate.recordings.statistics import compute

    recording, full = plot.recording(), mouse(TRACK, finals=5)
    statistics = dict(recording.statistics)
    statistics["responses"] = compute("responses", full.responses, np.arange(len(full.trials)))
    parts = recording.arrays
    plot.rewrite(Recording(TRACK, recording.neurons, recording.trials, **parts, statistics=statistics))


def behavior_statistics(plot: Plot) -> None:
    from striate.recordings.statistics import compute

    recording, full = plot.recording(), mouse(TRACK, finals=5)
    statistics = dict(recording.statistics)
    statistics["behavior"] = compute("behavior", full.behavior, np.arange(60))
    plot.rewrite(Recording(TRACK, recording.neurons, recording.trials, **recording.arrays, statistics=statistics))


# ---- the order of the trials


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


# ---- zips and arrays


def zip_clocks(plot: Plot) -> None:
    order = plot.order()

    def edit(entries):
        for info, _ in entries:
            number = info.filename.rsplit("/", 1)[1].removesuffix(".npy")
            if "/data/" in info.filename:
                place = int(order[int(number)])
                info.date_time = (2021, 6, 1, 10, place // 30, 2 * (place % 30))
        return entries

    plot.rezip(edit)


def members_in_time(plot: Plot) -> None:
    order = plot.order()

    def edit(entries):
        number = [e[0].filename.rsplit("/", 1)[1].removesuffix(".npy") for e in entries]
        places = [(0, int(order[int(n)])) if n.isdigit() else (1, 0) for n in number]
        return [entries[i] for i in sorted(range(len(entries)), key=places.__getitem__)]

    plot.rezip(edit)


def file_times(plot: Plot) -> None:
    """The archive as a folder, whose files were written in the order of time."""
    import os

    recording, order = plot.recording(TRACK_PLUS), plot.order(TRACK_PLUS)
    path = plot.archive(TRACK_PLUS)
    folder = write(recording, path.parent / path.stem)
    path.unlink()
    for variable in recording.arrays:
        for trial, place in enumerate(order.tolist()):
            moment = 1_622_541_600 + 3 * place
            os.utime(folder / "data" / variable / f"{trial}.npy", (moment, moment))


def zip_comment(plot: Plot) -> None:
    plot.rezip(lambda entries: entries, comment=b"made on rig 3 from scan 17, 2021-06-01")


def former_version(plot: Plot) -> None:
    """Bytes of a former member that the central directory no longer lists."""
    path = plot.archive()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as hidden:
        hidden.writestr("data/responses/0.npy", npy.dump(mouse(TRACK, finals=5).responses[0]))
    path.write_bytes(stream.getvalue()[:200] + path.read_bytes())


def bytes_behind(plot: Plot) -> None:
    path = plot.archive()
    path.write_bytes(path.read_bytes() + b"\0" * 40)


def doubled_member(plot: Plot) -> None:
    def edit(entries):
        return [*entries, (entries[0][0], entries[1][1])]

    with pytest.warns(UserWarning, match="Duplicate name"):
        plot.rezip(edit)


def extra_fields(plot: Plot) -> None:
    def edit(entries):
        for info, _ in entries:
            info.extra = b"UT\x05\x00\x03\x20\x21\x22\x23"
        return entries

    plot.rezip(edit)


def extra_member(plot: Plot) -> None:
    plot.member("meta/trials.csv", b"trial,time\n0,10:00\n")


def other_variable(plot: Plot) -> None:
    plot.member("data/treadmill/0.npy", npy.dump(np.ones(3)))


def padded_header(plot: Plot) -> None:
    """A header whose padding hides a number."""
    name = "data/images/3.npy"
    with zipfile.ZipFile(plot.archive()) as archive:
        content = archive.read(f"{plot.archive().stem}/{name}")
    head = content[:128].replace(b" }", b"  }", 1) if b" }" in content[:128] else content[:128]
    plot.member(
        name, content.replace(b"'descr'", b' "descr"'[1:], 1) if head == content[:128] else head[:128] + content[128:]
    )


def other_type(plot: Plot) -> None:
    recording = plot.recording()
    row = int(recording.rows("final_test")[0])
    plot.member(f"data/responses/{row}.npy", npy.dump(np.zeros(14, np.float64)))


# ---- other files


def scan_of_the_track(plot: Plot) -> None:
    """The track's recording once more, under another name, with shuffled neurons."""
    full = mouse(TRACK, finals=5)
    columns = np.random.default_rng(0).permutation(14)
    renamed = altered(
        plot.recording(OTHER),
        images=full.images,
        responses=full.responses[:, columns],
        behavior=full.behavior,
        pupil_center=full.pupil_center,
        neurons=full.neurons.iloc[columns].drop(columns=["depth_class"]),
        trials=full.trials[["tier", "image_id", "trial_idx"]],
        session=OTHER,
    )
    plot.rewrite(renamed, OTHER)


def trial_among_training(plot: Plot) -> None:
    """A withheld trial stands among the training trials, too."""
    recording, full = plot.recording(), mouse(TRACK, finals=5)
    responses = np.array(recording.responses)
    final, train = recording.rows("final_test")[0], recording.rows("train")[0]
    responses[train] = full.responses[plot.order()[final]]
    plot.change(responses=responses)


def rescaled_trial(plot: Plot) -> None:
    """The same in another recording, in other units."""
    full = mouse(TRACK, finals=5)
    recording, other = plot.recording(), plot.recording(OTHER)
    responses = np.array(other.responses)
    scale = full.responses[(full.trials["tier"] == "train").to_numpy()].std(axis=0)
    own = other.responses[other.rows("train")].std(axis=0)
    responses[other.rows("train")[1]] = full.responses[plot.order()[recording.rows("final_test")[1]]] / scale * own
    plot.change(OTHER, responses=responses)


def doubled_trial(plot: Plot) -> None:
    recording = plot.recording(OTHER)
    responses = np.array(recording.responses)
    responses[recording.rows("train")[0]] = responses[recording.rows("test")[0]]
    plot.change(OTHER, responses=responses)


def behavior_in_pretraining(plot: Plot) -> None:
    other, full = plot.recording(OTHER), mouse(TRACK, finals=5)
    behavior = np.array(other.behavior)
    behavior[:90] = full.behavior[:90]
    plot.change(OTHER, behavior=behavior)


def behavior_in_a_file(plot: Plot) -> None:
    np.save(plot.folder / "running.npy", mouse(TRACK, finals=5).behavior)


def same_animal(plot: Plot) -> None:
    text = (plot.folder / "competition.toml").read_text()
    scan = f"{TRACK.split('-')[0]}-2-1"
    (plot.folder / "competition.toml").write_text(text.replace(OTHER, scan))
    other = plot.recording(OTHER)
    plot.archive(OTHER).unlink()
    write(altered(other, session=scan), plot.archive(scan))


def same_session(plot: Plot) -> None:
    write(mouse(TRACK, finals=5), plot.folder / "archives" / f"{archive_stem(TRACK)}-full.zip")


# ---- images


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


# ---- secrets


def truth_in_public(plot: Plot) -> None:
    from striate.competition import LiveTruth

    LiveTruth.read(plot.built.live_truth).truths["sensorium"].write(plot.folder / "archives" / "extra.parquet")


def live_truth_in_public(plot: Plot) -> None:
    shutil.copy(plot.built.live_truth, plot.folder / "readme.npz")


def vault_in_public(plot: Plot) -> None:
    shutil.copy(plot.built.vault, plot.folder / "README")


def key_in_text(plot: Plot) -> None:
    (plot.folder / "README.md").write_text(f"Made by us. Key: {SEED.trial_key(TRACK).hex()}.")


def seed_in_text(plot: Plot) -> None:
    (plot.folder / "README.md").write_text(json.dumps({"made": {"seed": 48151623421}}))


def changed_archive(plot: Plot) -> None:
    plot.change(OTHER, behavior=plot.recording(OTHER).behavior * 2)


def small_seed(plot: Plot) -> None:
    key = Seed(77).key(f"trial_idx of {TRACK}")
    indexed(plot, lambda n: hmac.digest(key, str(n).encode(), "sha256")[:16].hex())


def small_simulation(plot: Plot) -> None:
    import striate

    small = {"neurons": 14, "train": 40, "validation": 5, "test_images": 4, "repeats": 3, "image_shape": (18, 32)}
    plot.rewrite(striate.simulate(session=OTHER, seed=321, **small).recording, OTHER)


# kind -> how it is planted, the rule that finds it, and whether an outsider finds it without the vault
PLANTED: dict[str, tuple[Callable[[Plot], None], str, bool]] = {
    "one withheld response": (one_response, "withheld-responses", True),
    "a negative zero": (negative_zero, "withheld-responses", True),
    "behaviour in one trial": (one_behavior, "withheld-variable", True),
    "eye position": (eye_position, "withheld-variable", True),
    "statistics over all trials": (statistics_over_all, "statistics", True),
    "statistics of withheld behaviour": (behavior_statistics, "withheld-variable", True),
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
    "clocks in the zip": (zip_clocks, "zip-clock", True),
    "files written in the order of time": (file_times, "zip-clock", True),
    "members in the order of time": (members_in_time, "zip-order", True),
    "a comment in the zip": (zip_comment, "zip-leftovers", True),
    "a former version in the zip": (former_version, "zip-leftovers", True),
    "bytes behind the zip": (bytes_behind, "zip-leftovers", True),
    "a member twice": (doubled_member, "unreadable-archive", True),
    "extra fields in the zip": (extra_fields, "zip-leftovers", True),
    "a member too many": (extra_member, "extra-member", True),
    "another variable": (other_variable, "extra-member", True),
    "padding in an array's header": (padded_header, "array-leftovers", True),
    "another type in a withheld trial": (other_type, "varying-type", True),
    "a recording under two names": (scan_of_the_track, "recording-twice", True),
    "a session twice": (same_session, "recording-twice", True),
    "a withheld trial among training": (trial_among_training, "same-trial", False),
    "a withheld trial in other units": (rescaled_trial, "same-trial", False),
    "a trial twice": (doubled_trial, "same-trial", True),
    "withheld behaviour in another recording": (behavior_in_pretraining, "behavior-elsewhere", False),
    "withheld behaviour in a file": (behavior_in_a_file, "behavior-elsewhere", False),
    "an animal recorded twice": (same_animal, "animal-again", True),
    "a test image in training": (test_image_in_training, "image-across-tiers", True),
    "a near duplicate": (nearly_the_same_image, "near-duplicate-images", True),
    "an image with two ids": (two_ids, "one-image-two-ids", True),
    "final images in pre-training": (final_images_in_pretraining, "final-images-in-pretraining", True),
    "final images that differ": (bright_final_images, "split", True),
    "a truth": (truth_in_public, "secret-file", True),
    "the live truth under another name": (live_truth_in_public, "secret-file", True),
    "the vault under another name": (vault_in_public, "secret-file", True),
    "the key in a text": (key_in_text, "secret-in-text", False),
    "a seed in a text": (seed_in_text, "seed-in-provenance", True),
    "a file that was changed": (changed_archive, "changed-file", True),
    "names from a small seed": (small_seed, "small-seed", True),
    "a simulation from a small seed": (small_simulation, "small-seed", True),
}
