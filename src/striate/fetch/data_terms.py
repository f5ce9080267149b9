"""On what terms data may be used: shown before the first fetch, accepted by the user, and written down."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from striate._internal.atomic_write import atomic_write
from striate._internal.paths import settings_folder
from striate._internal.safe_parsing import parse_as, read_limited
from striate.catalog import Dataset
from striate.errors import InputError, option


class Acceptance(BaseModel):
    """That somebody accepted the terms of a dataset.

    Attributes
    ----------
    dataset
        Its name.
    licence, address, terms
        What was accepted.
    sha256
        Hash of these three: terms that change have to be accepted anew.
    accepted
        Date and time, UTC.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    dataset: str
    licence: str
    address: str | None
    terms: str
    sha256: str
    accepted: str


def find_acceptance(of: Dataset) -> Acceptance | None:
    """Find out whether the terms of a dataset, as they are now, were accepted."""
    try:
        found = parse_as(Acceptance, read_limited(_place(of)))
    except (OSError, InputError):
        return None
    return found if found.sha256 == of.licence.digest else None


def accept_terms(of: Dataset) -> Acceptance:
    """Write down that the user accepts the terms of a dataset."""
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
    with atomic_write(_place(of), overwrite=True) as aside:
        aside.write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return made


def require_acceptance(of: Dataset) -> None:
    """Raise `InputError` unless the terms of a dataset were accepted."""
    if find_acceptance(of) is None:
        raise InputError(
            f"The terms of {of.name} ({of.licence.name}) have not been accepted yet: read them "
            f"(striate catalog show {of.name}), and accept them with {option('--accept_terms-licence', 'accept_licence=True')}."
        )


def _place(of: Dataset) -> Path:
    return settings_folder() / "accepted" / f"{of.name}-{of.licence.digest[:16]}.json"
