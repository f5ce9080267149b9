"""The competition's public files as a dataset of the catalogue: what ``striate catalog add`` and ``striate fetch`` take."""

import hashlib
import re
from typing import Any

from striate.catalog.dataset import PRETRAINING, Dataset, Licence
from striate.portal.competition import competition
from striate.portal.models import Acceptance, User

_SHORT = 16  # digits of a hash in an address


def version() -> str:
    """Name of the snapshot in addresses."""
    return competition().version[:_SHORT]


def licence() -> Licence:
    """The terms."""
    terms = competition().rules.licence
    return Licence(name=terms.name, address=terms.address, terms=terms.terms)


def terms_text() -> str:
    """What is accepted, word for word."""
    own = licence()
    return "\n".join(part for part in (own.name, own.address, own.terms) if part)


def terms_digest() -> str:
    """SHA-256 of what is accepted."""
    return hashlib.sha256(terms_text().encode()).hexdigest()


def accepted(user: User) -> bool:
    """Whether a person has accepted the terms as they are now."""
    return Acceptance.objects.filter(user=user, sha256=terms_digest()).exists()


def dataset(address: str, homepage: str) -> Dataset:
    """Describe the files.

    Parameters
    ----------
    address
        Where they are: each stands at the address followed by its name.
    homepage
        Of the portal.
    """
    made = competition()
    files: list[dict[str, Any]] = []
    for each in made.manifest.files:
        file: dict[str, Any] = {"name": each.path, "size": each.size, "sha256": each.sha256}
        if each.session is not None:
            file |= {"session": each.session, "role": each.track or PRETRAINING}
        files.append(file)
    return Dataset.model_validate(
        {
            "name": re.sub(r"[^a-z0-9._-]", "-", made.rules.name),
            "title": made.rules.title,
            "description": made.rules.description,
            "homepage": homepage,
            "addresses": [address],
            "licence": licence().model_dump(),
            "files": files,
        }
    )
