"""Live and final images: whether their statistics tell them apart."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from striate.competition.features import picture_features, response_features
from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.split import balance
from striate.recordings.checks.report import Finding, Severity

_UNLIKELY = 0.01


def look(material: Material) -> Iterator[Finding]:
    """Compare both tiers of each track: pictures, and with the vault also responses."""
    for archive in material.tracks:
        table = _features(material, archive)
        if table is None:
            continue
        found = balance(table.drop(columns="final"), table["final"].to_numpy(dtype=bool))
        worst = min(found.features, key=lambda name: found.features[name].p)
        message = (
            f"{100 * found.p:.0f} % of random splits differ at least as much as live and final images do in {len(found.features)} features; "
            f"the largest difference is in {worst} (p = {found.features[worst].p:.2f})."
        )
        if min(found.p, found.features[worst].p * len(found.features)) < _UNLIKELY:
            yield leak("split", archive.name, message, 'Draw the final images anew (tiers.split = "stratified").')
        else:
            yield leak("split", archive.name, message, "", Severity.NOTE)


def _features(material: Material, archive: PublicArchive) -> pd.DataFrame | None:
    rows = np.flatnonzero(archive.tested)
    ids, first = np.unique(archive.image_id[rows], return_index=True)
    final = archive.tier[rows[first]] == archive.recording.benchmark.board_tier("final")
    if min(final.sum(), (~final).sum()) < 3:
        return None
    table = picture_features(np.asarray(archive.recording.images[rows[first]])).set_index(pd.Index(ids))
    track = material.rules.track_of(archive.session) if material.rules else None
    if material.vault is not None and track is not None:
        parts = [material.vault.live[track.name], material.vault.final[track.name]]
        answers = response_features(
            np.concatenate([part.responses for part in parts]), np.concatenate([part.image_id for part in parts])
        )
        table = table.join(answers.loc[[i for i in ids if i in answers.index]])
    return table.assign(final=final)
