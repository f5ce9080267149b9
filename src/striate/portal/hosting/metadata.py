"""What is said of a dataset to those who cite it: from ``dataset.toml`` or ``CITATION.cff`` in its folder, or an organiser's words."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import tomli_w
import yaml
from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from striate._internal.config_validation import validate_settings
from striate._internal.safe_parsing import MalformedError, parse_toml
from striate.catalog.dataset import Licence
from striate.competition.rules import Rules
from striate.errors import InputError

TOML, CFF = "dataset.toml", "CITATION.cff"

_ORCID = re.compile(r"^(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])$")
_DOI = re.compile(r"^10\.\d{4,9}/[^\s<>\"{}|\\^`]+$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # what XML cannot hold

Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Creator(_Table):
    """Who made the data: a person (family and given name), or an organisation (name).

    Attributes
    ----------
    family, given
        Of a person.
    name
        Of an organisation.
    orcid
        Of a person, such as 0000-0002-1825-0097.
    affiliation
        Where the person works.
    """

    family: Text | None = None
    given: Text | None = None
    name: Text | None = None
    orcid: str | None = None
    affiliation: Text | None = None

    @field_validator("orcid")
    @classmethod
    def _with_right_check_digit(cls, text: str | None) -> str | None:
        if text is None:
            return None
        found = _ORCID.match(text.strip())
        if found is None or not _check_digit_is_right(found[1]):
            raise ValueError(
                f"An ORCID is 0000-0002-1825-0097, say, with a last digit that follows from the others; got {text}"
            )
        return found[1]

    @model_validator(mode="after")
    def _person_or_organisation(self) -> Self:
        if (self.family is None) == (self.name is None):
            raise ValueError("A creator has a family name (a person) or a name (an organisation), and not both")
        return self

    @property
    def shown(self) -> str:
        """As it stands in a reference."""
        if self.family is None:
            return str(self.name)
        initials = " ".join(f"{part[0]}." for part in re.split(r"[\s-]+", self.given or "") if part)
        return f"{self.family}, {initials}" if initials else self.family


class Related(_Table):
    """Another work, and how it is related to the data, in DataCite's words."""

    identifier: Text
    type: Literal["DOI", "URL", "arXiv", "PMID", "Handle", "ISBN", "URN"] = "DOI"
    relation: Literal[
        "IsDescribedBy",
        "IsDocumentedBy",
        "IsSupplementTo",
        "IsSupplementedBy",
        "IsCitedBy",
        "Cites",
        "IsDerivedFrom",
        "IsSourceOf",
        "IsPartOf",
        "HasPart",
        "References",
        "IsReferencedBy",
        "IsVersionOf",
        "IsNewVersionOf",
        "IsPreviousVersionOf",
    ] = "IsDescribedBy"


class Metadata(_Table):
    """What is said of a version.

    Attributes
    ----------
    title, description, keywords
        For people.
    creators
        In the order in which they are cited.
    publisher, year
        Who publishes it; when, if not in the year of the version.
    related
        Other works.
    """

    title: Text
    description: Annotated[str, Field(max_length=20_000)] = ""
    creators: tuple[Creator, ...] = Field((), max_length=500)
    publisher: Text
    year: int | None = Field(None, ge=1800, le=2200)
    keywords: tuple[Text, ...] = Field((), max_length=50)
    related: tuple[Related, ...] = Field((), max_length=200)

    @model_validator(mode="after")
    def _plain_text(self) -> Self:
        if any(_CONTROL.search(text) for text in _texts(self.model_dump())):
            raise ValueError("Control characters can stand in no text here")
        return self

    @property
    def authors(self) -> tuple[Creator, ...]:
        """The creators, or whoever made the dataset if they are not named."""
        return self.creators or (Creator(name=f"Organisers of {self.title}"[:500]),)

    def toml(self) -> str:
        """As an organiser edits it."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True), multiline_strings=True)


def first_metadata(rules: Rules) -> Metadata:
    """What the competition's rules say."""
    said = {"title": rules.title[:500], "description": rules.description, "publisher": rules.title[:500]}
    return Metadata.model_validate(said)


def described(texts: Mapping[str, bytes], before: Mapping[str, Any]) -> tuple[Metadata, Licence | None]:
    """Metadata of a version, and its terms where the version says them itself.

    Parameters
    ----------
    texts
        ``dataset.toml`` and ``CITATION.cff``, as far as the version has them; what the first says counts.
    before
        Metadata of the version before: what neither file says stays.

    Raises
    ------
    InputError
        If one of them cannot be understood.
    """
    told: dict[str, Any] = dict(before)
    if CFF in texts:
        told |= _from_cff(_text(texts[CFF], CFF))
    licence = None
    if TOML in texts:
        tables = _tables(_text(texts[TOML], TOML), TOML)
        if "licence" in tables:
            licence = validate_settings(Licence, tables.pop("licence"), f"{TOML}: licence", kind="licence")
        told |= tables
    source = gettext(" and ").join(texts) or gettext("the version before")
    return validate_settings(Metadata, _as_toml(told), source, kind="dataset"), licence


def edited(text: str) -> Metadata:
    """What an organiser has written, as in ``dataset.toml``.

    Raises
    ------
    InputError
        If it cannot be understood.
    """
    source = gettext("The text")
    return validate_settings(Metadata, _tables(text, source), source, kind="dataset")


def require_doi(text: str) -> str:
    """Check a DOI.

    Raises
    ------
    InputError
        If it is none.
    """
    plain = re.sub(r"^(?:doi:|https?://(?:dx\.)?doi\.org/)", "", text.strip(), flags=re.IGNORECASE)
    if not _DOI.match(plain) or len(plain) > 200:
        raise InputError(
            gettext("%(text)s is no DOI: one looks like 10.5281/zenodo.1234567.") % {"text": repr(text[:60])}
        )
    return plain


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in _texts(each))


def _check_digit_is_right(orcid: str) -> bool:
    """ISO 7064, mod 11-2."""
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == orcid[-1]


def _tables(text: str, source: str) -> dict[str, Any]:
    try:
        return parse_toml(text, source)
    except MalformedError as error:
        raise InputError(
            gettext("%(source)s is not valid TOML: %(why)s.") % {"source": source, "why": error.reason}
        ) from None


def _text(content: bytes, source: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            gettext("%(source)s is not text in UTF-8 (byte %(byte)d).") % {"source": source, "byte": error.start}
        ) from None


def _as_toml(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None, which TOML does not know."""
    return {key: value for key, value in tables.items() if value is not None}


# Besides its own errors, the loader raises others on tags that do not fit their value, such as `!!int ""`.
_YAML_ERRORS = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class _Loader(yaml.SafeLoader):
    """YAML without references within it, by which a few lines could become gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(gettext("it has references (*name), which are not read"))
        return super().compose_node(parent, index)


def _from_cff(text: str) -> dict[str, Any]:
    try:
        tables = yaml.load(text, Loader=_Loader)
    except _YAML_ERRORS as error:
        raise InputError(
            gettext("%(file)s cannot be read: %(why)s.") % {"file": CFF, "why": " ".join(str(error).split())[:200]}
        ) from None
    if not isinstance(tables, dict):
        raise InputError(
            gettext("%(file)s is not what https://citation-file-format.github.io describes: it has no keys.")
            % {"file": CFF}
        )
    told: dict[str, Any] = {}
    for key, own in (("title", "title"), ("abstract", "description")):
        if tables.get(key):
            told[own] = str(tables[key]).strip()
    if isinstance(tables.get("keywords"), list):
        told["keywords"] = [str(each) for each in tables["keywords"]]
    authors = [each for each in tables.get("authors") or [] if isinstance(each, dict)]
    if authors:
        told["creators"] = [_creator(each) for each in authors]
    return told


def _creator(author: Mapping[str, Any]) -> dict[str, str]:
    particle = author.get("name-particle")
    family = " ".join(str(part) for part in (particle, author.get("family-names")) if part)
    found = {
        "family": family,
        "given": author.get("given-names"),
        "name": None if family else author.get("name") or author.get("alias"),
        "orcid": author.get("orcid"),
        "affiliation": author.get("affiliation"),
    }
    return {key: str(value) for key, value in found.items() if value}
