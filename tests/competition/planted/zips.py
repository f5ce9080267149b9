"""What zips and arrays say beside their content."""

import io
import zipfile

import numpy as np
import pytest
from tests.competition.examples import TRACK, TRACK_PLUS, mouse
from tests.competition.planted.plot import Planted, Plot

from striate.recordings import npy_format, write


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
        hidden.writestr("data/responses/0.npy", npy_format.dump(mouse(TRACK, finals=5).responses[0]))
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
    plot.member("data/treadmill/0.npy", npy_format.dump(np.ones(3)))


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
    plot.member(f"data/responses/{row}.npy", npy_format.dump(np.zeros(14, np.float64)))


PLANTED: Planted = {
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
}
