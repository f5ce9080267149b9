"""Licence and citation of the datasets that a result was derived from."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from striate.catalog.open import find_dataset

if TYPE_CHECKING:
    from striate.recordings import Recording


def collect_citations(recordings: Iterable["Recording"]) -> list[dict[str, Any]]:
    """Collect licence and citation of the datasets that recordings belong to.

    Parameters
    ----------
    recordings
        Open recordings. Recordings that do not belong to a dataset of the catalogue are ignored.

    Returns
    -------
    list of dict
        One for each dataset, with keys ``dataset``, ``title``, ``sessions``, ``licence`` (``name``, ``address``,
        ``terms``) and ``citation`` (``text``, ``address``; or None).

    Examples
    --------
    >>> import striate
    >>> striate.catalog.collect_citations([])
    []
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
