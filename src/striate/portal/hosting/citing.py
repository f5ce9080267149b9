"""How a version is cited: as text, as CITATION.cff (1.2), and as DataCite (4) in JSON and XML."""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import yaml

from striate.catalog.dataset import Licence
from striate.portal.hosting.metadata import Metadata
from striate.portal.hosting.snapshots import licence_of
from striate.portal.models import Description, DoiRequest, Snapshot

_KERNEL = "http://datacite.org/schema/kernel-4"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SPDX = re.compile(r"^CC[ -](BY(?:-NC)?(?:-ND|-SA)?)[ -](\d\.\d)\b", re.IGNORECASE)
_CC0 = re.compile(r"^CC[ -]?(?:0|Zero)[ -]1\.0\b", re.IGNORECASE)


@dataclass(frozen=True)
class Cited:
    """A version, as it is cited.

    Attributes
    ----------
    snapshot
        The version.
    metadata
        What is said of it.
    address
        Of its page.
    """

    snapshot: Snapshot
    metadata: Metadata
    address: str

    @property
    def year(self) -> int:
        """In which it was published."""
        return self.metadata.year or self.snapshot.at.year

    @property
    def text(self) -> str:
        """A reference."""
        names = [each.shown for each in self.metadata.authors]
        who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} & {names[-1]}"
        doi = self.snapshot.doi
        where = f"https://doi.org/{doi}" if doi else self.address
        withdrawn = "" if self.snapshot.withdrawn is None else ", withdrawn"
        stop = "" if who.endswith(".") else "."
        return (
            f"{who}{stop} ({self.year}). {self.metadata.title} (version {self.snapshot.number}{withdrawn}) [data set]. "
            f"{self.metadata.publisher}. {where}"
        )

    @property
    def _message(self) -> str:
        gone = self.snapshot.withdrawn
        if gone is None:
            return "If you use these data, please cite them as below."
        return f"This version was withdrawn on {gone.at.date().isoformat()} and should not be used: {gone.reason}"

    def cff(self) -> str:
        """CITATION.cff, version 1.2.0."""
        licence, doi = licence_of(self.snapshot), self.snapshot.doi
        tables: dict[str, Any] = {
            "cff-version": "1.2.0",
            "message": self._message,
            "type": "dataset",
            "title": self.metadata.title,
            "authors": [
                _without_none(
                    {
                        "family-names": each.family,
                        "given-names": each.given,
                        "name": each.name,
                        "orcid": each.orcid and f"https://orcid.org/{each.orcid}",
                        "affiliation": each.affiliation if each.family else None,
                    }
                )
                for each in self.metadata.authors
            ],
            "version": str(self.snapshot.number),
            "date-released": self.snapshot.at.date().isoformat(),
            "doi": doi,
            "url": self.address,
            "identifiers": [
                {
                    "type": "other",
                    "value": f"sha256:{self.snapshot.sha256}",
                    "description": "SHA-256 of the canonical manifest of this version",
                }
            ],
            "keywords": list(dict.fromkeys(self.metadata.keywords)) or None,
            "abstract": self.metadata.description or None,
        }
        spdx = spdx_of(licence)
        if spdx:
            tables["license"] = spdx
        elif licence.address:
            tables["license-url"] = licence.address
        return yaml.safe_dump(_without_none(tables), sort_keys=False, allow_unicode=True, width=100)

    def datacite(self) -> dict[str, Any]:
        """DataCite's metadata, as its JSON has them."""
        licence = licence_of(self.snapshot)
        at = self.snapshot.at.date().isoformat()
        dates = [{"date": at, "dateType": "Issued"}]
        if (gone := self.snapshot.withdrawn) is not None:
            withdrawn_on = gone.at.date().isoformat()
            dates.append({"date": withdrawn_on, "dateType": "Withdrawn", "dateInformation": gone.reason})
        sizes = list(self.snapshot.files.values_list("content__size", flat=True))
        tables: dict[str, Any] = {
            "doi": self.snapshot.doi,
            "url": self.address,
            "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Neural recordings"},
            "creators": [
                _without_none(
                    {
                        "name": each.name or ", ".join(part for part in (each.family, each.given) if part),
                        "nameType": "Personal" if each.family else "Organizational",
                        "givenName": each.given if each.family else None,
                        "familyName": each.family,
                        "nameIdentifiers": each.orcid
                        and [
                            {
                                "nameIdentifier": f"https://orcid.org/{each.orcid}",
                                "nameIdentifierScheme": "ORCID",
                                "schemeUri": "https://orcid.org",
                            }
                        ],
                        "affiliation": each.affiliation and [{"name": each.affiliation}],
                    }
                )
                for each in self.metadata.authors
            ],
            "titles": [{"title": self.metadata.title}],
            "publisher": {"name": self.metadata.publisher},
            "publicationYear": str(self.year),
            "subjects": [{"subject": each} for each in dict.fromkeys(self.metadata.keywords)] or None,
            "dates": dates,
            "relatedIdentifiers": [
                {
                    "relatedIdentifier": each.identifier,
                    "relatedIdentifierType": each.type,
                    "relationType": each.relation,
                }
                for each in dict.fromkeys(self.metadata.related)
            ]
            or None,
            "alternateIdentifiers": [
                {"alternateIdentifier": self.snapshot.sha256, "alternateIdentifierType": "SHA-256 of the manifest"}
            ],
            "sizes": [f"{sum(sizes)} bytes", f"{len(sizes)} files"],
            "version": str(self.snapshot.number),
            "rightsList": [
                _without_none(
                    {
                        "rights": licence.name,
                        "rightsUri": licence.address,
                        "rightsIdentifier": spdx_of(licence),
                        "rightsIdentifierScheme": spdx_of(licence) and "SPDX",
                        "schemeUri": spdx_of(licence) and "https://spdx.org/licenses/",
                    }
                )
            ],
            "descriptions": self.metadata.description
            and [{"description": self.metadata.description, "descriptionType": "Abstract"}],
            "schemaVersion": _KERNEL,
        }
        return _without_none(tables)

    def datacite_xml(self) -> bytes:
        """DataCite's metadata, as its XML has them."""
        return _xml(self.datacite())


def cited(snapshot: Snapshot, address: str) -> Cited:
    """A version with what is said of it: once a DOI was requested, what was said then.

    Parameters
    ----------
    snapshot
        The version.
    address
        Of its page.
    """
    frozen = DoiRequest.objects.filter(snapshot=snapshot).first()
    said = frozen or Description.objects.filter(snapshot=snapshot).first()
    assert said is not None
    return Cited(snapshot, Metadata.model_validate(said.metadata), address)


def spdx_of(licence: Licence) -> str | None:
    """SPDX's name of a Creative Commons licence; None for others."""
    if _CC0.match(licence.name):
        return "CC0-1.0"
    found = _SPDX.match(licence.name)
    return f"CC-{found[1].upper()}-{found[2]}" if found else None


def _without_none(tables: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tables.items() if value not in (None, "")}


def _xml(tables: dict[str, Any]) -> bytes:
    ElementTree.register_namespace("", _KERNEL)
    ElementTree.register_namespace("xsi", _XSI)
    root = ElementTree.Element(
        f"{{{_KERNEL}}}resource",
        {f"{{{_XSI}}}schemaLocation": f"{_KERNEL} https://schema.datacite.org/meta/kernel-4.5/metadata.xsd"},
    )

    def add(
        parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str | None
    ) -> ElementTree.Element:
        told = {key: value for key, value in attributes.items() if value is not None}
        child = ElementTree.SubElement(parent, f"{{{_KERNEL}}}{tag}", told)
        child.text = text
        return child

    def add_each(parent: ElementTree.Element, entries: list[dict[str, str]], tag: str) -> None:
        """An element an entry: what is called like it is its text, everything else an attribute."""
        for entry in entries:
            told = {key.replace("Uri", "URI"): value for key, value in entry.items() if key != tag}
            add(parent, tag, entry[tag], **told)

    def add_group(name: str, tag: str) -> None:
        if name in tables:
            add_each(add(root, name), tables[name], tag)

    # Before a DOI is given there is none to write; DataCite's own form puts the one that it mints here.
    add(root, "identifier", tables.get("doi", "(to be given)"), identifierType="DOI")
    creators = add(root, "creators")
    for each in tables["creators"]:
        creator = add(creators, "creator")
        add(creator, "creatorName", each["name"], nameType=each["nameType"])
        for tag in ("givenName", "familyName"):
            if tag in each:
                add(creator, tag, each[tag])
        add_each(creator, each.get("nameIdentifiers", []), "nameIdentifier")
        for own in each.get("affiliation", ()):
            add(creator, "affiliation", own["name"])
    add_group("titles", "title")
    add(root, "publisher", tables["publisher"]["name"])
    add(root, "publicationYear", tables["publicationYear"])
    add(root, "resourceType", tables["types"]["resourceType"], resourceTypeGeneral="Dataset")
    add_group("subjects", "subject")
    add_group("dates", "date")
    add_group("alternateIdentifiers", "alternateIdentifier")
    add_group("relatedIdentifiers", "relatedIdentifier")
    sizes = add(root, "sizes")
    for each in tables["sizes"]:
        add(sizes, "size", each)
    add(root, "version", tables["version"])
    add_group("rightsList", "rights")
    add_group("descriptions", "description")
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content + b"\n"
