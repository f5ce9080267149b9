"""The commitment: published before the start, so that everyone can verify in the end that nothing was changed.

For each secret, and for each thing that must stay as it is, it holds SHA-256(salt, name, content). The salt hides the
content until it is published with it; then nobody can have had another content.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from striate import __version__
from striate._internal.atomic_write import atomic_write
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import parse_model, read_limited
from striate.benchmarks import BenchmarkSpec
from striate.competition.benchmark_rules import check_metrics
from striate.competition.manifest import FILE as MANIFEST
from striate.competition.manifest import Digest, Manifest, sha256_of
from striate.competition.moments import Moment, require_zone
from striate.competition.rules import FILE as RULES
from striate.competition.vault import Vault
from striate.errors import InputError, listed
from striate.metrics import METRICS_VERSION
from striate.submissions import Truth

FILE = "commitment.json"

# What is opened at the close in any case, and what only when the organiser releases the truth.
_ALWAYS = ("rules", "scorer", "split of ", "live truth of ", "final truth of ")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Opening(_Strict):
    """What opens one commitment.

    Attributes
    ----------
    salt
        In hexadecimal digits.
    content
        What was committed to: of a truth its fingerprint, of a key its hexadecimal digits, else the text itself.
    """

    salt: str
    content: str


class Commitment(_Strict):
    """What an organiser commits to.

    Attributes
    ----------
    name
        Of the competition.
    made
        When.
    late
        Whether that was after the first phase had begun.
    scorer
        Versions of striate and of its metrics.
    manifest
        SHA-256 of the manifest, which lists the hashes of rules and archives.
    digests
        By what is committed to.
    """

    format: Literal["striate commitment 1"] = "striate commitment 1"
    name: str
    made: Moment
    late: bool
    scorer: str
    manifest: Digest
    digests: dict[str, Digest]

    @classmethod
    def read(cls, folder: Path) -> "Commitment":
        """Read the commitment of a competition.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        file = folder / FILE
        try:
            content = read_limited(file)
        except OSError as error:
            raise InputError(
                f"{folder} has no {FILE} that can be read ({error.strerror}): commit first (`striate competition commit`)."
            ) from error
        return parse_model(cls, content, str(file), "take it from where it was published")

    def disagreements(self, openings: Mapping[str, Opening]) -> list[str]:
        """Names of openings that do not open what was committed to."""
        return [name for name, opening in openings.items() if self.digests.get(name) != digest_of(name, opening)]


def scorer(benchmark: BenchmarkSpec) -> str:
    """Versions of what scores: of striate, of its metrics, and a hash of the code of plugins that have metrics of the benchmark.

    Raises
    ------
    InputError
        If a metric of the benchmark is not installed.
    """
    from striate.registry import metrics

    check_metrics(benchmark)

    version = f"striate {__version__}, metrics version {METRICS_VERSION}"
    components = [metrics[name] for name in benchmark.metrics.names]
    of_plugins = [(each.name, each.source) for each in components if not each.module.startswith("striate.")]
    if not of_plugins:
        return version
    described = [f"{name} {source.package} {source.version} {source.sha256}" for name, source in of_plugins]
    return f"{version}, plugins {hashlib.sha256(' '.join(described).encode()).hexdigest()[:12]}"


def digest_of(name: str, opening: Opening) -> str:
    """SHA-256 of salt, name and content."""
    try:
        salt = bytes.fromhex(opening.salt)
    except ValueError:
        return ""
    return hashlib.sha256(salt + b"\x1f" + name.encode() + b"\x1f" + opening.content.encode()).hexdigest()


def openings(vault: Vault, *, release: bool = True) -> dict[str, Opening]:
    """What opens every commitment.

    Parameters
    ----------
    vault
        Where it is kept.
    release
        Whether keys, orders and the seed are among it, with which everything withheld can be told.
    """
    content: dict[str, str] = {"rules": vault.rules_text, "scorer": scorer(vault.rules.benchmark)}
    for track in vault.rules.tracks:
        live, final = vault.live[track.name], vault.final[track.name]
        content[f"live truth of {track.name}"] = live.fingerprint
        content[f"final truth of {track.name}"] = final.fingerprint
        content[f"split of {track.name}"] = _split(live, final)
    for session, mapping in vault.mappings.items():
        content[f"key of {session}"] = vault.seed.trial_key(session).hex()
        content[f"order of {session}"] = hashlib.sha256("\x1f".join(mapping.original.tolist()).encode()).hexdigest()
    content["seed"] = str(vault.seed.value)
    return {
        name: Opening(salt=vault.seed.salt(name).hex(), content=text)
        for name, text in content.items()
        if release or name.startswith(_ALWAYS)
    }


def _split(live: Truth, final: Truth) -> str:
    ids = {tier: np.unique(truth.image_id).tolist() for tier, truth in (("live", live), ("final", final))}
    return json.dumps(ids, sort_keys=True, separators=(",", ":"))


def commit(folder: Path | str, vault: Vault, *, at: datetime) -> Commitment:
    """Write the commitment of a competition into its folder, to be published with it.

    Parameters
    ----------
    folder
        The competition's.
    vault
        Its secrets.
    at
        Now; must be before the first phase begins, or the commitment says that it is late.

    Raises
    ------
    InputError
        If there is a commitment already, or folder and vault do not belong together.
    """
    require_zone(at)
    place = expand_path(folder)
    if os.path.lexists(place / FILE):
        raise InputError(
            f"{place / FILE} exists already, and what was committed to cannot be changed: build anew to start again."
        )
    require_one(place, vault)
    made = Commitment(
        name=vault.rules.name,
        made=at,
        late=at >= vault.rules.starts,
        scorer=scorer(vault.rules.benchmark),
        manifest=sha256_of(place / MANIFEST),
        digests={name: digest_of(name, opening) for name, opening in openings(vault).items()},
    )
    with atomic_write(place / FILE) as aside:
        aside.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return made


def require_one(folder: Path, vault: Vault) -> None:
    """Raise `InputError` unless a folder is as it was built, and a vault is that of its competition."""
    if changed := changed_files(folder, Manifest.read(folder)):
        raise InputError(
            f"{folder} is not as it was built: {listed(changed)} changed. Put back what was built, or build anew."
        )
    if (folder / RULES).read_text(encoding="utf-8") != vault.rules_text:
        raise InputError(
            f"The vault is that of another competition than {folder}: its rules differ. Take the one built with it."
        )


def changed_files(folder: Path, manifest: Manifest) -> list[str]:
    """Files that are missing, or not what the manifest lists."""
    return [
        file.path
        for file in manifest.files
        if not (folder / file.path).is_file() or sha256_of(folder / file.path) != file.sha256
    ]
