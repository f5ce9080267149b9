"""Whose data something was made from: licence and citation stay with what is derived from a dataset."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from striate.catalog.open import find_dataset

if TYPE_CHECKING:
    from striate.recordings import Recording


def collect_citations(recordings: Iterable["Recording"]) -> list[dict[str, Any]]:
    """Licence and citation of the datasets that recordings are from.

    Parameters
    ----------
    recordings
        Opened by name, or from files that are called like those of a dataset of the catalogue. Others have no entry.

    Returns
    -------
    list of dict
        One for each dataset, with keys ``dataset``, ``title``, ``sessions``, ``licence`` (``name``, ``address``,
        ``terms``) and, where known, ``citation`` (``text``, ``address``).
    """
    found: dict[str, dict[str, Any]] = {}
    for recording in recordings:
        known = find_dataset(recording.source, recording.session)
        if known is None:
            continue
        of, _ = known
        entry = found.setdefault(
            of.name,
            {
                "dataset": of.name,
                "title": of.title,
                "sessions": [],
                "licence": of.licence.model_dump(),
                "citation": of.citation.model_dump() if of.citation else None,
            },
        )
        entry["sessions"].append(recording.session)
    return list(found.values())
