"""Arrays as they are stored: nothing beside the values, one type a variable, and exact zeros where something is withheld."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from striate._internal.progress_bars import progress_bar
from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.errors import listed
from striate.recordings import layout, npy_format
from striate.recordings.archive import Archive, open_archive
from striate.recordings.checks.report import Finding, UnreadableError
from striate.recordings.trial_reader import THREADS
from striate.recordings.write import descriptions

_CHUNK = 256


def look(material: Material) -> Iterator[Finding]:
    """Read every member of every archive as bytes."""
    for archive in material.archives:
        with open_archive(archive.file) as opened:
            yield from _stored(archive, opened)


def _stored(archive: PublicArchive, opened: Archive) -> Iterator[Finding]:
    types: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    odd: list[str] = []
    not_zero: dict[str, list[int]] = defaultdict(list)
    members = sorted(opened.members)
    texts = descriptions(archive.recording)

    def look_at(member: str) -> None:
        try:
            content = opened.read(member)
            if member in texts:
                odd.extend([member] if content != texts[member].encode() else [])
                return
            array = npy_format.parse(content, member)
        except UnreadableError:
            odd.append(member)
            return
        if npy_format.dump(np.asarray(array)) != content:
            odd.append(member)
        parsed = layout.parse_data_member(member)
        if parsed is None:
            return
        variable, trial = parsed
        types[variable][f"{array.dtype} {array.shape}"].append(trial)
        withheld = variable in archive.withhold or (
            variable == "responses" and archive.is_track and trial < len(archive.tested) and archive.tested[trial]
        )
        if withheld and any(array.tobytes()):  # bytes, since −0 and the like could carry something
            not_zero[variable].append(trial)

    with (
        progress_bar(f"auditing {archive.session}", len(members)) as advance,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for start in range(0, len(members), _CHUNK):
            some = members[start : start + _CHUNK]
            list(pool.map(look_at, some))
            advance(len(some))
    mend = "Set them to zero, and start again with new recordings if they were public already."
    for variable, trials in sorted(not_zero.items()):
        rule = "withheld-responses" if variable == "responses" else "withheld-variable"
        message = (
            f"withheld {variable} must be exactly zero, and is not in {len(trials)} trials: {listed(sorted(trials))}."
        )
        yield leak(rule, archive.name, message, mend)
    for variable, kinds in sorted(types.items()):
        if len(kinds) > 1:
            rare = min(kinds.values(), key=len)
            message = f"{variable} is stored in {len(kinds)} types or shapes ({', '.join(sorted(kinds))}); {len(rare)} trials stand out: {listed(sorted(rare))}."
            yield leak("varying-type", archive.name, message, "Store each variable in one type.")
    if odd:
        message = f"{len(odd)} members are not stored as striate stores them (padding, byte order, other bytes): {listed(sorted(odd))}."
        yield leak("array-leftovers", archive.name, message, "Write the archive with striate.")
