"""A copy of a small competition that may be spoilt, and how its recordings are changed."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.competition.examples import TRACK

from striate.competition import Built
from striate.competition.manifest import Manifest, listed_file
from striate.recordings import Recording, write
from striate.recordings import open as open_recording
from striate.recordings.layout import archive_stem

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
            return (
                kept
                if any(i.filename == full for i, _ in entries)
                else sorted([*kept, (info, content)], key=place_in_zip)
            )

        self.rezip(edit, session)

    def relist(self) -> None:
        """Let the manifest list what there is: the leak was there from the beginning."""
        manifest = Manifest.read(self.folder)
        files = tuple(listed_file(self.folder, f.path, f.session, f.track) for f in manifest.files)
        (self.folder / "manifest.json").write_text(manifest.model_copy(update={"files": files}).model_dump_json())


def place_in_zip(entry: tuple[zipfile.ZipInfo, bytes]) -> tuple[Any, ...]:
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


def plot_rows(plot: Plot, session: str = TRACK) -> np.ndarray:
    return plot.order(session)  # the full mice stand in the order of time


# kind -> how it is planted, the rule that finds it, and whether an outsider finds it without the vault
Planted = dict[str, tuple[Callable[[Plot], None], str, bool]]
