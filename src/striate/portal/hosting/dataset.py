"""A version of the data as a dataset of the catalogue (what ``striate catalog add`` and ``striate fetch`` take), and its terms."""

import re
from typing import Any

from striate.catalog.dataset import Citation, Dataset, Licence
from striate.portal.competition import competition
from striate.portal.hosting import snapshots
from striate.portal.hosting.citing import cited
from striate.portal.hosting.withdrawing import require_current
from striate.portal.models import Acceptance, Snapshot, User


def version() -> str:
    """Name of the current version in addresses that never change."""
    return require_current().short


def name() -> str:
    """What the catalogue calls the dataset."""
    return re.sub(r"[^a-z0-9._-]", "-", competition().rules.name)


def licence(snapshot: Snapshot | None = None) -> Licence:
    """The terms of a version; by default the current one."""
    return snapshots.licence_of(snapshot or require_current())


def terms_text(snapshot: Snapshot | None = None) -> str:
    """What is accepted, word for word."""
    return snapshots.terms_text(licence(snapshot))


def terms_digest(snapshot: Snapshot | None = None) -> str:
    """SHA-256 of what is accepted."""
    return str((snapshot or require_current()).terms_sha256)


def accepted(user: User, snapshot: Snapshot | None = None) -> bool:
    """Whether a person has accepted the terms of a version; by default of the current one, if there is one."""
    snapshot = snapshot or Snapshot.current()
    return snapshot is not None and Acceptance.objects.filter(user=user, sha256=terms_digest(snapshot)).exists()


def dataset(snapshot: Snapshot, address: str, page: str, homepage: str) -> Dataset:
    """Describe a version.

    Parameters
    ----------
    snapshot
        The version.
    address
        Where its files are: each stands at the address followed by its name.
    page
        Of the version.
    homepage
        Of the portal.
    """
    files: list[dict[str, Any]] = []
    for path, size, sha256, session, role in sorted(
        snapshot.files.values_list("path", "content__size", "content__sha256", "session", "role")
    ):
        file: dict[str, Any] = {"name": path, "size": size, "sha256": sha256}
        files.append(file | ({"session": session, "role": role} if session else {}))
    said = cited(snapshot, page)
    doi = snapshot.doi
    return Dataset.model_validate(
        {
            "name": name(),
            "title": said.metadata.title,
            "description": said.metadata.description,
            "homepage": homepage,
            "addresses": [address],
            "licence": licence(snapshot).model_dump(),
            "citation": Citation(text=said.text, address=f"https://doi.org/{doi}" if doi else page).model_dump(),
            "files": files,
        }
    )
