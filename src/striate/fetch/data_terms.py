"""Record which terms of use the user has accepted. A dataset is downloaded only after its terms were accepted."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from striate._internal.atomic_write import atomic_write
from striate._internal.paths import settings_folder
from striate._internal.safe_parsing import parse_as, read_limited
from striate.catalog import Dataset
from striate.errors import InputError, option


class Acceptance(BaseModel):
    """Record of an acceptance of the terms of a dataset.

    Attributes
    ----------
    dataset
        Name of the dataset.
    licence, address, terms
        Name, URL and summary of the accepted licence.
    sha256
        Hash of licence, address and terms. Changed terms have another hash and must be accepted again.
    accepted
        Date and time of the acceptance (UTC, ISO 8601).

    Examples
    --------
    >>> import striate
    >>> from striate.fetch import Acceptance
    >>> licence = striate.catalog.get_dataset("sensorium2022").licence
    >>> acceptance = Acceptance(
    ...     dataset="sensorium2022",
    ...     licence=licence.name,
    ...     address=licence.address,
    ...     terms=licence.terms,
    ...     sha256=licence.digest,
    ...     accepted="2026-01-31T12:00:00+00:00",
    ... )
    >>> acceptance.sha256 == licence.digest
    True
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    dataset: str
    licence: str
    address: str | None
    terms: str
    sha256: str
    accepted: str


def find_acceptance(of: Dataset) -> Acceptance | None:
    """Return the acceptance of the current terms of a dataset, or None if they have not been accepted.

    Parameters
    ----------
    of
        Dataset whose terms to look up.

    Examples
    --------
    >>> import striate
    >>> from striate.fetch import find_acceptance
    >>> acceptance = find_acceptance(striate.catalog.get_dataset("sensorium2022"))
    >>> acceptance is None or acceptance.dataset == "sensorium2022"
    True
    """
    try:
        found = parse_as(Acceptance, read_limited(_acceptance_path(of)))
    except (OSError, InputError):
        return None
    return found if found.sha256 == of.licence.digest else None


def accept_terms(of: Dataset) -> Acceptance:
    """Record that the user accepts the terms of a dataset.

    Parameters
    ----------
    of
        Dataset whose terms are accepted.

    Returns
    -------
    Acceptance
        The record, which is also written to the settings folder.

    Examples
    --------
    >>> import os, tempfile
    >>> import striate
    >>> from striate.fetch import accept_terms
    >>> os.environ["STRIATE_SETTINGS"] = tempfile.mkdtemp()  # keeps this example out of your settings
    >>> accept_terms(striate.catalog.get_dataset("sensorium2022")).dataset
    'sensorium2022'
    >>> del os.environ["STRIATE_SETTINGS"]
    """
    licence = of.licence
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = Acceptance(
        dataset=of.name,
        licence=licence.name,
        address=licence.address,
        terms=licence.terms.strip(),
        sha256=licence.digest,
        accepted=now,
    )
    with atomic_write(_acceptance_path(of), overwrite=True) as temporary:
        temporary.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return made


def require_acceptance(of: Dataset) -> None:
    """Raise `InputError` if the terms of a dataset have not been accepted."""
    if find_acceptance(of) is None:
        raise InputError(
            f"The terms of {of.name} ({of.licence.name}) have not been accepted yet: read them "
            f"(striate catalog show {of.name}), and accept them with {option('--accept_terms-licence', 'accept_licence=True')}."
        )


def _acceptance_path(of: Dataset) -> Path:
    return settings_folder() / "accepted" / f"{of.name}-{of.licence.digest[:16]}.json"
