"""Public numbers that tell time or responses: columns of any type, low digits, file numbers, headers of the zip."""

import io
import struct
import zipfile

import numpy as np
from tests.competition.examples import PASSPHRASE, TRACK, TRACK_PLUS
from tests.competition.planted.plot import Planted, Plot, altered, with_field

from striate.competition import Vault
from striate.recordings import npy_format


def saved(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def strength(plot: Plot, session: str = TRACK) -> np.ndarray:
    """Mean withheld response of each public trial, NaN where it is public."""
    vault = Vault.read(plot.built.vault, PASSPHRASE)
    name = vault.rules.track_of(session).name
    found = {
        str(trial): float(row.mean())
        for truth in (vault.live[name], vault.final[name])
        for trial, row in zip(truth.trial_idx, truth.responses, strict=True)
    }
    return np.array([found.get(str(trial), np.nan) for trial in plot.recording(session).trials["trial_idx"]])


def member(name: str, of_order, session: str = TRACK):
    def plant(plot: Plot) -> None:
        plot.member(name, of_order(plot.order(session)), session)

    return plant


def datetimes(order):
    return saved(np.datetime64("2021-06-01T10:00:00") + (order * 2371).astype("timedelta64[ms]"))


def durations(order):
    return saved((order * 2371).astype("timedelta64[ms]"))


def structured(order):
    return saved(np.array([(int(n), float(n) * 1.7) for n in order], dtype=[("block", "<i4"), ("s", "<f4")]))


def complex_numbers(order):
    return saved(1 + 1j * order)


def half_floats(order):
    return saved((order / 7).astype(np.float16))


def long_doubles(order):
    return saved(np.stack([order, order]).astype(np.longdouble) * 2.5)


def void(order):
    return saved(np.frombuffer(order.astype(">u4").tobytes(), dtype="V4"))


def byte_texts(order):
    return saved(np.array([f"run-{n:04d}" for n in order], dtype="S"))


def objects(order):
    return saved(order.astype(object), allow_pickle=True)


def two_columns(order):
    return saved(np.stack([np.ones(len(order)), order * 0.4], axis=1))


def in_other_words(order):
    return saved(np.array([f"the {n}th of {len(order)}" for n in order]))


def not_an_array(order):
    return b"\0" * 16 + order.astype("<u2").tobytes()


def truncated(order):
    return saved(order)[:-3]


def other_variable(plot: Plot) -> None:
    for trial, place in enumerate(plot.order().tolist()):
        if trial < 3:
            plot.member(f"data/exposure/{trial}.npy", npy_format.dump(np.array([place], np.int32)))


def member_of_neurons(plot: Plot) -> None:
    plot.member("meta/neurons/quality.npy", saved(plot.order().astype("datetime64[s]")))


def statistic_too_many(plot: Plot) -> None:
    plot.member("meta/statistics/responses/all/count.npy", saved(plot.order()))


def pickled_member(plot: Plot) -> None:
    import pickle

    plot.member("meta/trials/notes.pkl", pickle.dumps(plot.order().tolist()))


# Low digits and other parts of what must be public


def clock_in_low_digits(plot: Plot) -> None:
    behavior = np.array(plot.recording(TRACK_PLUS).behavior, dtype=np.float64)
    behavior[:, 0] = behavior[:, 0].round(2) + plot.order(TRACK_PLUS) * 1e-5
    plot.change(TRACK_PLUS, behavior=behavior)


def clock_in_last_bits(plot: Plot) -> None:
    pupil = np.array(plot.recording(TRACK_PLUS).pupil_center, dtype=np.float32)
    bits = pupil.view(np.uint32)
    bits[:, 1] = (bits[:, 1] & ~np.uint32(0xFFF)) | plot.order(TRACK_PLUS).astype(np.uint32)
    plot.change(TRACK_PLUS, pupil_center=pupil)


def clock_in_a_response(plot: Plot) -> None:
    responses = np.array(plot.recording().responses, dtype=np.float32)
    public = responses.any(axis=1)
    bits = responses.view(np.uint32)
    bits[public, 3] = (bits[public, 3] & ~np.uint32(0xFFF)) | plot.order()[public].astype(np.uint32)
    plot.change(responses=responses)


def clock_in_pixels(plot: Plot) -> None:
    """In a pixel that is the same for all repeats, so that no image varies: in those that are shown once."""
    recording = plot.recording()
    images = np.array(recording.images)
    once = (recording.trials["tier"] == "train").to_numpy()
    images[once, 0, 0, 5] = plot.order()[once]
    plot.change(images=images)


def strength_in_low_digits(plot: Plot) -> None:
    values, behavior = strength(plot, TRACK_PLUS), np.array(plot.recording(TRACK_PLUS).behavior, dtype=np.float64)
    behavior[:, 0] = behavior[:, 0].round(2) + np.where(np.isnan(values), 0.5, values) * 1e-3
    plot.change(TRACK_PLUS, behavior=behavior)


def sorted_files(plot: Plot, session: str, key, groups) -> None:
    """Put trials into the order of a key within the places that each group has."""
    rows = np.arange(len(key))
    for group in set(groups.tolist()):
        own = np.flatnonzero(groups == group)
        rows[own] = own[np.argsort(key[own], kind="stable")]
    recording = plot.recording(session)
    arrays = {name: values[rows] for name, values in recording.arrays.items()}
    plot.rewrite(altered(recording, trials=recording.trials.iloc[rows], keep_statistics=True, **arrays))


def tests_by_time(plot: Plot) -> None:
    tier = plot.recording().trials["tier"].to_numpy()
    sorted_files(plot, TRACK, plot.order(), np.where(tier == "final_test", tier, np.arange(len(tier)).astype(str)))


def repeats_by_time(plot: Plot) -> None:
    trials = plot.recording().trials
    sorted_files(plot, TRACK, plot.order(), trials["image_id"].to_numpy())


def tests_by_strength(plot: Plot) -> None:
    tier = plot.recording().trials["tier"].to_numpy()
    key = np.nan_to_num(strength(plot))
    sorted_files(plot, TRACK, key, np.where(tier == "test", tier, np.arange(len(tier)).astype(str)))


def repeats_by_strength(plot: Plot) -> None:
    sorted_files(plot, TRACK, np.nan_to_num(strength(plot)), plot.recording().trials["image_id"].to_numpy())


def ids_by_strength(plot: Plot) -> None:
    """Names of the trials sort those of each tier by their responses."""
    rng = np.random.default_rng(0)
    rank = np.argsort(np.argsort(np.nan_to_num(strength(plot)), kind="stable"))
    names = [f"{int(n) * 2**120 + int(rng.integers(2**60)):032x}" for n in rank]
    plot.rewrite(with_field(plot.recording(), trial_idx=names))


def end_of_names(plot: Plot) -> None:
    rng = np.random.default_rng(0)
    names = [f"{rng.integers(2**62):016x}{rng.integers(2**30):08x}{60_000 * int(n):08x}" for n in plot.order()]
    plot.rewrite(with_field(plot.recording(), trial_idx=names))


# The zip


def local_clocks(plot: Plot) -> None:
    """Clocks in the headers before the members; the directory is clean."""
    path, order = plot.archive(), plot.order()
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            number = info.filename.rsplit("/", 1)[1].removesuffix(".npy")
            if "/data/images/" in info.filename:
                place = int(order[int(number)])
                struct.pack_into("<H", content, info.header_offset + 10, place // 30 << 5 | place % 30)
    path.write_bytes(content)


def local_versions(plot: Plot) -> None:
    path = plot.archive()
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist()[:9]:
            content[info.header_offset + 4] = 10
    path.write_bytes(content)


def local_extra_fields(plot: Plot) -> None:
    """Extra fields before the members that the directory does not have."""
    order = plot.order()

    def edit(entries):
        for info, _ in entries:
            number = info.filename.rsplit("/", 1)[1].removesuffix(".npy")
            if "/data/responses/" in info.filename:
                info.extra = struct.pack("<2H2I", 0x7874, 8, int(order[int(number)]), 0)
        return entries

    plot.rezip(edit)


def levels_of_compression(plot: Plot) -> None:
    """Members whose content is the same are packed harder where the response was strong."""
    path, values = plot.archive(), np.nan_to_num(strength(plot))
    with zipfile.ZipFile(path) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries:
            trial = info.filename.rsplit("/", 1)[1].removesuffix(".npy")
            strong = "/data/responses/" in info.filename and values[int(trial)] > np.median(values[values > 0])
            archive.writestr(info, content, compresslevel=0 if strong else 9)


# Behaviour that tells the order


def exact_derivative(plot: Plot) -> None:
    """The derivative of the pupil's size is the difference to the trial before."""
    order = plot.order(TRACK_PLUS)
    behavior = np.array(plot.recording(TRACK_PLUS).behavior)
    rng = np.random.default_rng(3)
    in_time = (40 + rng.normal(0, 5, len(order))).astype(np.float32)
    behavior[:, 0] = in_time[order]
    behavior[:, 1] = np.diff(in_time, prepend=in_time[:1])[order]
    plot.change(TRACK_PLUS, behavior=behavior)


def halved_derivative(plot: Plot) -> None:
    exact_derivative(plot)
    behavior = np.array(plot.recording(TRACK_PLUS).behavior)
    behavior[:, 1] /= 2
    plot.change(TRACK_PLUS, behavior=behavior)


def central_difference(plot: Plot) -> None:
    order = plot.order(TRACK_PLUS)
    behavior = np.array(plot.recording(TRACK_PLUS).behavior)
    in_time = (40 + np.random.default_rng(3).normal(0, 5, len(order))).astype(np.float32)
    behavior[:, 0] = in_time[order]
    behavior[:, 1] = 0.377 * np.gradient(in_time)[order]
    plot.change(TRACK_PLUS, behavior=behavior)


def lagged_copy(plot: Plot) -> None:
    order = plot.order(TRACK_PLUS)
    pupil = np.array(plot.recording(TRACK_PLUS).pupil_center)
    in_time = np.random.default_rng(3).normal(100, 9, len(order) + 1).astype(np.float32)
    pupil[:, 0], pupil[:, 1] = in_time[1:][order], in_time[:-1][order]
    plot.change(TRACK_PLUS, pupil_center=pupil)


def behavior_as_a_clock(plot: Plot) -> None:
    order = plot.order(TRACK_PLUS)
    behavior = np.array(plot.recording(TRACK_PLUS).behavior)
    behavior[:, 2] = order * 0.01 + np.random.default_rng(0).normal(0, 0.005, len(order))
    plot.change(TRACK_PLUS, behavior=behavior)


def circle_in_time(plot: Plot) -> None:
    """No component follows time, and both together do."""
    order = plot.order(TRACK_PLUS)
    angle = 2 * np.pi * order / len(order) * 0.95
    pupil = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    behavior = np.zeros_like(plot.recording(TRACK_PLUS).behavior)
    behavior[:] = pupil[:, :1] * 3 + 9
    plot.change(TRACK_PLUS, pupil_center=pupil, behavior=behavior)


PLANTED: Planted = {
    "datetime64 in a table": (member("meta/trials/frame_trial_ts.npy", datetimes), "trial-time", True),
    "datetime64 without its name": (member("meta/trials/x.npy", datetimes), "trial-time", True),
    "timedelta64 in a table": (member("meta/trials/x.npy", durations), "extra-member", True),
    "a structured array": (member("meta/trials/x.npy", structured), "trial-time", False),
    "complex numbers": (member("meta/trials/x.npy", complex_numbers), "trial-time", True),
    "half floats": (member("meta/trials/x.npy", half_floats), "trial-time", False),
    "long doubles": (member("meta/trials/x.npy", long_doubles), "trial-time", False),
    "bytes without a type": (member("meta/trials/x.npy", void), "extra-member", True),
    "texts as bytes": (member("meta/trials/x.npy", byte_texts), "trial-time", False),
    "objects": (member("meta/trials/x.npy", objects), "extra-member", True),
    "a table of two columns": (member("meta/trials/x.npy", two_columns), "trial-time", False),
    "numbers within texts": (member("meta/trials/x.npy", in_other_words), "trial-time", False),
    "a member that is no array": (member("meta/trials/x.npy", not_an_array), "extra-member", True),
    "a member that is cut off": (member("meta/trials/x.npy", truncated), "extra-member", True),
    "another variable of three trials": (other_variable, "extra-member", True),
    "a member of the neurons": (member_of_neurons, "extra-member", True),
    "a statistic too many": (statistic_too_many, "extra-member", True),
    "a pickle in a zip": (pickled_member, "extra-member", True),
    "a clock in low digits": (clock_in_low_digits, "order-in-number", False),
    "a clock in the last bits": (clock_in_last_bits, "order-in-number", False),
    "a clock in a response": (clock_in_a_response, "order-in-number", False),
    "a clock in pixels": (clock_in_pixels, "order-in-number", False),
    "strength in low digits": (strength_in_low_digits, "truth-in-number", False),
    "file numbers of final trials by time": (tests_by_time, "order-in-files", False),
    "file numbers of repeats by time": (repeats_by_time, "order-in-files", False),
    "file numbers of live trials by strength": (tests_by_strength, "truth-in-number", False),
    "file numbers of repeats by strength": (repeats_by_strength, "truth-in-number", False),
    "names by strength": (ids_by_strength, "truth-in-number", False),
    "a clock at the end of names": (end_of_names, "order-in-index", False),
    "clocks in local headers": (local_clocks, "zip-leftovers", True),
    "versions in local headers": (local_versions, "zip-leftovers", True),
    "extra fields by time": (local_extra_fields, "order-in-number", False),
    "levels of compression": (levels_of_compression, "zip-leftovers", True),
    "an exact derivative": (exact_derivative, "order-from-neighbors", True),
    "half of an exact derivative": (halved_derivative, "order-from-neighbors", True),
    "a central difference": (central_difference, "order-from-neighbors", False),
    "a value of the trial before": (lagged_copy, "order-from-neighbors", True),
    "behaviour that is a clock": (behavior_as_a_clock, "order-from-drift", False),
    "two components that circle in time": (circle_in_time, "order-from-drift", False),
}
