"""Citation metadata against the published schemas; the files that say them; the DOI, which freezes a version's."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.portal.world import World

SCHEMAS = Path(__file__).parent / "schemas"
SAID = """
title = "Mouse V1 & natural images <2>"
description = "Two mice."
publisher = "A university"
keywords = ["visual cortex", "mouse"]

[[creators]]
family = "Carberry"
given = "Josiah Stinkney"
orcid = "https://orcid.org/0000-0002-1825-0097"
affiliation = "Brown University"

[[creators]]
name = "A laboratory"

[[related]]
identifier = "10.1234/paper"
relation = "IsDescribedBy"
"""


@pytest.fixture
def organiser(world: World) -> Any:
    return world.browser(world.person("olga", staff=True))


def checked(schema: str, content: Any) -> None:
    import jsonschema

    told = json.loads((SCHEMAS / schema).read_text())
    kind = jsonschema.validators.validator_for(told)
    errors = [error.message for error in kind(told, format_checker=kind.FORMAT_CHECKER).iter_errors(content)]
    assert not errors, errors


def dated(text: str) -> Any:
    """YAML as the schema sees it, for which dates are text."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


@pytest.mark.slow
@pytest.mark.parametrize("said", [None, SAID])
@pytest.mark.parametrize("doi", [None, "10.5281/zenodo.1234567"])
def test_they_are_valid(world: World, organiser: Any, said: str | None, doi: str | None) -> None:
    if said:
        assert organiser.post("/data/1/describe/", {"text": said}).status_code == 302
    if said and doi:
        organiser.post("/data/1/doi/")
        organiser.post("/data/1/doi/", {"doi": doi})
    browser = world.browser()
    cff = dated(browser.get("/data/1/CITATION.cff").content.decode())
    checked("cff-1.2.0.json", cff)
    told = browser.get("/data/1/datacite.json").json()
    checked("datacite-v4.5.json", told)
    root = ElementTree.fromstring(browser.get("/data/1/datacite.xml").content)
    space = "{http://datacite.org/schema/kernel-4}"
    assert root.tag == f"{space}resource"
    needed = ("identifier", "creators", "titles", "publisher", "publicationYear", "resourceType")
    for tag in needed:
        assert root.find(f"{space}{tag}") is not None
    assert root.findtext(f"{space}version") == told["version"] == cff["version"] == "1"
    if said:
        assert root.findtext(f"{space}titles/{space}title") == cff["title"] == "Mouse V1 & natural images <2>"
        assert [each.get("nameType") for each in root.iter(f"{space}creatorName")] == ["Personal", "Organizational"]
        assert [each.tag.removeprefix(space) for each in root.find(f"{space}creators/{space}creator") or ()] == [
            "creatorName",
            "givenName",
            "familyName",
            "nameIdentifier",
            "affiliation",
        ], "the schema wants this order"
        assert cff["authors"][0]["orcid"] == "https://orcid.org/0000-0002-1825-0097"
        assert cff.get("doi") == told.get("doi") == doi
    assert "CC-BY-NC-ND-4.0" in json.dumps(told) or "CC BY" not in world.built.rules.licence.name


def test_the_page_says_how_to_cite(world: World, organiser: Any) -> None:
    organiser.post("/data/1/describe/", {"text": SAID})
    page = world.browser().get("/data/").content.decode()
    assert "Carberry, J. S. &amp; A laboratory" in page
    assert "Mouse V1 &amp; natural images &lt;2&gt; (version 1) [data set]. A university." in page


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ('title = "x"\n', "publisher"),
        ("title = ", "TOML"),
        ('title = "x"\npublisher = "y"\ncreator = 1\n', "creators"),
        ('title = "x"\npublisher = "y"\n[[creators]]\nfamily = "a"\norcid = "0000-0002-1825-0098"\n', "ORCID"),
        ('title = "x"\npublisher = "y"\n[[creators]]\ngiven = "a"\n', "family name"),
        ('title = "x\\u0001"\npublisher = "y"\n', "Control characters"),
        ('title = "x"\npublisher = "y"\n[[related]]\nidentifier = "z"\nrelation = "Likes"\n', "IsDescribedBy"),
    ],
)
def test_what_cannot_be_understood_gets_a_sentence(world: World, organiser: Any, text: str, mentions: str) -> None:
    answer = organiser.post("/data/1/describe/", {"text": text})
    assert answer.status_code == 400
    assert mentions in answer.content.decode()


@pytest.mark.slow
def test_a_doi_is_requested_once_known_and_never_changed(world: World, organiser: Any) -> None:
    assert "who made the data" in organiser.post("/data/1/doi/").content.decode()
    organiser.post("/data/1/describe/", {"text": SAID})
    assert "Request the DOI first" in organiser.post("/data/1/doi/", {"doi": "10.1234/x"}).content.decode()
    assert organiser.post("/data/1/doi/").status_code == 302
    refused = organiser.post("/data/1/describe/", {"text": SAID.replace("Two mice", "Three mice")})
    assert refused.status_code == 400
    assert "Two mice" in world.browser().get("/data/1/CITATION.cff").content.decode()
    for wrong in ("nonsense", "10.12/x", "10.1234/", "10.1234/a b", "javascript:10.1234/x"):
        assert "is no DOI" in organiser.post("/data/1/doi/", {"doi": wrong}).content.decode()
    organiser.post("/data/1/doi/", {"doi": "https://doi.org/10.1234/Mice.1"})
    assert "has its DOI already" in organiser.post("/data/1/doi/", {"doi": "10.1234/other"}).content.decode()
    page = world.browser().get("/data/").content.decode()
    assert "https://doi.org/10.1234/Mice.1" in page
    reader = world.person("ada")
    from striate.portal.hosting.dataset import terms_digest

    world.browser(reader).post("/data/accept/", {"terms": terms_digest()})
    manifest = world.browser(reader).get("/data/manifest.json").json()
    assert manifest["citation"]["address"] == "https://doi.org/10.1234/Mice.1"
    from striate.portal.models import AuditEntry

    entries = AuditEntry.objects.order_by("number").values_list("what", "account", "after")
    log = [(what, after) for what, account, after in entries if account is not None and "sign" not in what]
    assert [what for what, _ in log] == ["describe version", "request DOI", "record DOI"]
    assert "Two mice" in log[0][1]["said"]
    assert log[2][1] == {"doi": "10.1234/Mice.1"}


def test_two_versions_cannot_have_one_doi(world: World, organiser: Any, tmp_path: Path) -> None:
    from striate.portal.hosting.in_place import publish_folder

    organiser.post("/data/1/describe/", {"text": SAID})
    (tmp_path / "a").write_text("a")
    publish_folder(tmp_path, note="")
    for number in (1, 2):
        organiser.post(f"/data/{number}/doi/")
        last = organiser.post(f"/data/{number}/doi/", {"doi": "10.1234/x"})
    assert "Another version has this DOI" in last.content.decode()


def test_files_of_the_folder_say_it(world: World, tmp_path: Path) -> None:
    from striate.portal.hosting.in_place import publish_folder

    (tmp_path / "CITATION.cff").write_text(
        "cff-version: 1.2.0\nmessage: m\ntitle: From CFF\nabstract: Said there.\nkeywords: [a, b]\nauthors:\n"
        "  - family-names: Bruijn\n    name-particle: de\n    given-names: N. G.\n"
        "  - name: A group\n"
    )
    publish_folder(tmp_path, note="")
    told = world.browser().get("/data/2/datacite.json").json()
    assert told["titles"] == [{"title": "From CFF"}]
    assert [each["name"] for each in told["creators"]] == ["de Bruijn, N. G.", "A group"]
    (tmp_path / "dataset.toml").write_text('title = "From TOML"\n')
    publish_folder(tmp_path, note="")
    told = world.browser().get("/data/3/datacite.json").json()
    assert told["titles"] == [{"title": "From TOML"}]
    assert len(told["creators"]) == 2


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nauthors: [*b]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [BOMB, "!!python/object/apply:os.system ['true']", "[" * 5000, "- a", "{", "authors:\n  - orcid: 1\n", "\xff"],
)
def test_a_hostile_citation_file_is_refused(world: World, tmp_path: Path, text: str) -> None:
    from striate.errors import InputError
    from striate.portal.hosting.in_place import publish_folder

    (tmp_path / "CITATION.cff").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="CITATION"):
        publish_folder(tmp_path, note="")
