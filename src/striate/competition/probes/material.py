"""What an audit looks at: the public files, opened once for all probes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.competition.manifest import FILE as MANIFEST
from striate.competition.manifest import Manifest
from striate.competition.probes.public_archive import PublicArchive, state_variables
from striate.competition.rules import FILE, Rules, read_rules
from striate.competition.vault import Mapping, Vault
from striate.errors import InputError
from striate.recordings import Recording
from striate.recordings import open as open_recording
from striate.recordings.checks.report import Finding


@dataclass(eq=False)
class Material:
    """All that an audit looks at.

    Attributes
    ----------
    folder
        The competition's folder, or the folder of a single archive.
    rules, manifest
        None where they are missing or damaged.
    files
        Every file below the folder.
    archives
        The archives that can be read.
    vault
        None if the audit is that of an outsider.
    findings
        What was wrong with opening them.
    answers
        Withheld responses by the name of the archive, once they were asked for.
    """

    folder: Path
    rules: Rules | None
    manifest: Manifest | None
    files: list[Path]
    archives: list[PublicArchive]
    vault: Vault | None
    findings: list[Finding] = field(default_factory=list)
    answers: dict[str, NDArray[np.float64] | None] = field(default_factory=dict)

    def name(self, file: Path) -> str:
        """Path below the folder."""
        return file.relative_to(self.folder).as_posix()

    def declared(self, leak: str) -> str | None:
        """Why a leak is so by design; None where the rules do not declare it."""
        return self.rules.declaration(leak) if self.rules else None

    @property
    def tracks(self) -> list[PublicArchive]:
        """The archives that withhold test responses."""
        return [archive for archive in self.archives if archive.is_track]

    @property
    def others(self) -> list[PublicArchive]:
        """The archives that come along in full."""
        return [archive for archive in self.archives if not archive.is_track]

    def pictures(self, archives: list[PublicArchive]) -> pd.DataFrame:
        """Every picture of some archives once: its hash, archive, tier, image id and row."""
        tables = [
            pd.DataFrame(
                {
                    "picture": a.picture,
                    "archive": number,
                    "tier": a.tier,
                    "image_id": a.image_id.astype(str),
                    "row": np.arange(len(a.tier)),
                }
            )
            for number, a in enumerate(archives)
        ]
        return (
            pd.concat(tables).drop_duplicates(["picture", "archive", "tier", "image_id"]) if tables else pd.DataFrame()
        )


def gather(path: Path, vault: Vault | None) -> Material:
    """Open everything below a folder (or a single archive).

    Raises
    ------
    InputError
        If there is nothing at `path`, or the vault is that of another competition.
    """
    if not path.exists():
        raise InputError(f"There is nothing at {path}: give the folder of a competition, or an archive.")
    folder = path if path.is_dir() and not (path / "meta").is_dir() else path.parent
    files = [path] if folder != path else sorted(p for p in path.rglob("*") if p.is_file() or p.is_symlink())
    rules, manifest = None, None
    findings: list[Finding] = []
    if (folder / FILE).is_file():
        rules = read_rules(folder)[0]
    if (
        vault is not None
        and rules is not None
        and (vault.rules.name, vault.rules.sessions) != (rules.name, rules.sessions)
    ):
        raise InputError(
            f"The vault is that of competition {vault.rules.name!r} ({', '.join(vault.rules.sessions)}), and {folder} holds "
            f"{rules.name!r} ({', '.join(rules.sessions)}): take the vault that was built with it."
        )
    if (folder / MANIFEST).is_file():
        manifest = Manifest.read(folder)
    material = Material(folder, rules, manifest, files, [], vault, findings)
    for file in _archives(path, folder, files):
        try:
            recording = open_recording(file)
        except (InputError, ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError) as error:
            from striate.competition.leaks import leak

            mend = "Build the competition anew."
            findings.append(leak("unreadable-archive", material.name(file), f"it cannot be read: {error}", mend))
            continue
        material.archives.append(_public(file, material.name(file), recording, rules, vault))
    return material


def _archives(path: Path, folder: Path, files: list[Path]) -> Iterator[Path]:
    if folder != path:
        yield path
        return
    yield from (file for file in files if file.suffix.lower() == ".zip" and "results" not in file.parts)
    yield from (meta.parent for meta in sorted(path.rglob("meta")) if (meta / "trials").is_dir())


def _public(file: Path, name: str, recording: Recording, rules: Rules | None, vault: Vault | None) -> PublicArchive:
    track = rules.track_of(recording.session) if rules else None
    if rules is not None:
        is_track = track is not None
        withhold: tuple[str, ...] = tuple(track.withhold) if track else ()
    else:  # of unknown making: what is (nearly) all zero is meant to be withheld
        tests = np.isin(recording.trials["tier"].to_numpy(), recording.benchmark.board_tiers)
        silent = ~recording.responses[tests].any(axis=1)
        hidden = recording.trials["trial_idx"].dtype.kind not in "iu"
        is_track = bool(tests.any() and (silent.mean() > 0.5 or hidden))
        withhold = tuple(
            v for v in state_variables(recording) if is_track and not getattr(recording, v).any(axis=1).mean() > 0.5
        )
    return PublicArchive(file, name, recording, is_track, withhold, _mapping(recording, vault))


def _mapping(recording: Recording, vault: Vault | None) -> Mapping | None:
    """What the vault knows of the trials, found by their names wherever these still stand; else by the numbers of files."""
    mapping = vault.mappings.get(recording.session) if vault else None
    if vault is None or mapping is None or len(mapping.row) != len(recording.trials):
        return None
    names = recording.trials["trial_idx"].to_numpy().astype(str)
    for known in (np.array(vault.public_index(recording.session)), mapping.original.astype(str)):
        if set(known.tolist()) == set(names.tolist()):
            place = {name: row for row, name in enumerate(known.tolist())}
            return mapping.reordered(np.array([place[name] for name in names.tolist()]))
    return mapping
