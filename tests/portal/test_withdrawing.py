"""A wrong version of the data is withdrawn: its files go, its page stays and says why, and it can be restored."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.competition.examples import TRACK
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.portal.looking.conftest import unprepared
from tests.portal.test_citing import checked, dated
from tests.portal.test_languages import GERMAN
from tests.portal.test_snapshots import accepted, folder, olga, publish, push
from tests.portal.world import World, on_a_port

__all__ = ["folder", "olga", "unprepared"]  # fixtures
REASON = "Mouse 2 is mouse 1."
PAGE = {"Accept": "text/html"}
FILES = (
    "files/competition.toml",
    "archive.tar",
    "manifest.json",
    "snapshot.json",
    "recordings/",
    f"recordings/{TRACK}/",
    f"recordings/{TRACK}/state/",
    "changes/",
)


def withdraw(world: World, user: Any, number: int = 1, **fields: str) -> Any:
    typed = {"reason": REASON, "name": f"sensorium-2022-v{number}"} | fields
    return world.browser(user).post(f"/data/{number}/withdraw/", typed)


def entries(what: str) -> list[Any]:
    from striate.portal.models import AuditEntry

    return list(AuditEntry.objects.filter(what=what))


@pytest.mark.slow
def test_its_files_are_gone_for_everybody_and_its_page_says_why(world: World, olga: Any, folder: Path) -> None:
    publish(folder)
    reader = accepted(world)
    assert withdraw(world, olga).status_code == 302
    for user in (None, reader, olga):
        for path in FILES:
            answer = world.browser(user).get(f"/data/1/{path}", headers=PAGE)
            page = answer.content.decode()
            assert answer.status_code == 410, path
            assert REASON in page
            assert 'href="/data/2/"' in page, "the current one"
    tombstone = world.browser().get("/data/1/")
    assert tombstone.status_code == 200
    page = tombstone.content.decode()
    assert REASON in page
    assert 'href="/data/2/"' in page
    assert "withdrawn" in page[page.index("How to cite") :]
    assert "archive.tar" not in page
    assert "competition.toml" not in page.split("<footer")[0].replace('href="/competition.toml"', "")
    listed = world.browser().get("/data/versions/").content.decode()
    assert '<del><a href="/data/1/">Version 1</a></del>' in listed
    assert REASON in listed
    assert '<del><a href="/data/2/">' not in listed
    german = world.browser().get("/data/1/files/competition.toml", headers=GERMAN | PAGE).content.decode()
    assert "zurückgezogen" in german


def test_the_version_before_is_current_again(world: World, olga: Any, folder: Path) -> None:
    from striate.portal.models import Snapshot

    publish(folder)
    reader = accepted(world)
    browser = world.browser(reader)
    before = browser.get("/data/manifest.json").json()
    withdraw(world, olga, 2)
    current = Snapshot.current()
    assert current is not None
    assert current.number == 1
    now = browser.get("/data/manifest.json").json()
    assert {each["name"] for each in now["files"]} != {each["name"] for each in before["files"]}
    assert "/archive.tar" in browser.get("/data/").content.decode()
    assert browser.get("/data/1/changes/").status_code == 404, "there is no earlier one"
    (folder / "note.txt").write_text("new")
    third, _ = publish(folder)
    assert third.number == 3, "numbers are not given twice"
    page = browser.get("/data/3/changes/").content.decode()
    assert "tables/mice.csv" in page, "compared with version 1"
    assert '<option value="2"' not in page
    assert browser.get("/data/3/changes/?since=2").status_code == 410


def test_without_any_version_pages_say_so(world: World, olga: Any) -> None:
    reader = accepted(world)
    withdraw(world, olga)
    browser = world.browser(reader)
    for path in ("/data/manifest.json", f"/data/recordings/{TRACK}/"):
        answer = browser.get(path, headers=PAGE)
        assert answer.status_code == 410
        assert "No other version is available" in answer.content.decode()
    for path in ("/", "/data/", "/data/recordings/", "/data/versions/", "/data/1/"):
        assert browser.get(path).status_code == 200, path
    assert REASON in browser.get("/data/").content.decode()
    assert TRACK not in browser.get("/data/recordings/").content.decode()
    assert world.browser(reader).post("/data/accept/", {"terms": "0" * 64}).status_code == 302


def test_programs_get_a_problem_document_or_a_line_of_text(world: World, olga: Any, folder: Path) -> None:
    publish(folder)
    withdraw(world, olga)
    problem = world.browser().get("/data/1/archive.tar", headers={"Accept": "application/json"})
    assert problem.status_code == 410
    assert problem.headers["Content-Type"] == "application/problem+json"
    detail = problem.json()["detail"]
    assert REASON in detail
    assert detail.endswith("The current one is version 2: http://testserver/data/2/")
    text = world.browser().get("/data/1/archive.tar")
    assert text.content.decode() == f"{detail}\n"
    versions = world.browser().get("/api/v1/data/versions").json()["items"]
    assert [(each["number"], each["withdrawn"] and each["withdrawn"]["reason"]) for each in versions] == [
        (2, None),
        (1, REASON),
    ]
    assert versions[1]["withdrawn"]["at"]


def test_prepared_files_of_its_recordings_are_gone_too(unprepared: World, folder: Path) -> None:
    from striate.portal.looking.store import key
    from striate.portal.models import SnapshotFile

    olga, browser = unprepared.person("olga", staff=True), unprepared.browser(accepted(unprepared, "ben"))
    archive = SnapshotFile.objects.get(session=TRACK)
    path = f"/data/recordings/{TRACK}/{key(archive.content)}/summary.json"
    assert browser.get(path).status_code == 404, "it is not prepared yet"
    publish(folder)
    withdraw(unprepared, olga)
    assert browser.get(path).status_code == 410
    assert browser.get(f"/data/recordings/{TRACK}/").status_code == 410


@pytest.mark.parametrize(
    "fields",
    [{"name": "sensorium-2022-v2"}, {"name": ""}, {"reason": " \u200b "}, {"reason": ""}, {"reason": "x" * 301}],
)
def test_the_form_wants_a_reason_and_the_name(world: World, olga: Any, fields: dict[str, str]) -> None:
    from striate.portal.models import Withdrawal

    answer = withdraw(world, olga, **fields)
    assert answer.status_code == 400
    assert "Nothing was done yet" in answer.content.decode()
    assert not Withdrawal.objects.exists()


def test_it_is_restored_and_both_are_in_the_audit_log(world: World, olga: Any) -> None:
    reader = accepted(world)
    withdraw(world, olga)
    [entry] = entries("withdraw version")
    assert (entry.account, entry.after) == (olga.pk, {"number": 1, "reason": REASON})
    again = withdraw(world, olga, reason="Another.")
    assert again.status_code == 400
    assert REASON in again.content.decode()
    assert "Restore this version" in world.browser(olga).get("/data/1/withdraw/").content.decode()
    assert world.browser(olga).post("/data/1/restore/").status_code == 302
    [entry] = entries("restore version")
    assert entry.before["reason"] == REASON
    assert world.browser(reader).get("/data/1/archive.tar").status_code == 200
    world.browser(olga).post("/data/1/restore/")
    assert len(entries("restore version")) == 1, "there was nothing to restore"


def test_whoever_has_no_permission_cannot(world: World, olga: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal import permissions
    from striate.portal.models import Withdrawal

    olga.is_superuser = False
    olga.save()
    may = permissions._MAY
    monkeypatch.setattr(permissions, "_MAY", may - {"add_withdrawal"})
    assert withdraw(world, olga).status_code == 403
    assert "/withdraw/" not in world.browser(olga).get("/data/1/").content.decode()
    monkeypatch.setattr(permissions, "_MAY", may - {"delete_withdrawal"})
    assert withdraw(world, olga).status_code == 302
    assert world.browser(olga).post("/data/1/restore/").status_code == 403
    assert Withdrawal.objects.exists()


def test_the_same_files_are_not_published_again(world: World, olga: Any, folder: Path) -> None:
    publish(folder)
    withdraw(world, olga, 2)
    with on_a_port() as address:
        refused = push(world, address, olga, folder)
        assert_one_sentence(refused, "are version 2, which was withdrawn on", REASON, "restore it")
        (folder / "note.txt").write_text("mended")
        mended = push(world, address, olga, folder)
        assert mended.status == 0, mended.err
        assert "version 3" in mended.out


def test_what_a_withdrawn_version_says_is_not_passed_on(world: World, folder: Path, olga: Any) -> None:
    from striate.portal.hosting.citing import cited

    (folder / "dataset.toml").write_text('title = "Wrong"\n\n[licence]\nname = "None"\nterms = "Wrong terms."\n')
    publish(folder)
    withdraw(world, olga, 2)
    (folder / "dataset.toml").unlink()
    third, _ = publish(folder)
    assert third.licence != "None"
    assert cited(third, "").metadata.title != "Wrong"


def test_citations_say_it_and_stay_valid(world: World, olga: Any) -> None:
    browser = world.browser(olga)
    browser.post("/data/1/describe/", {"text": 'title = "Mice"\npublisher = "A lab"\n[[creators]]\nname = "A lab"\n'})
    withdraw(world, olga)
    refused = browser.post("/data/1/doi/")
    assert refused.status_code == 400
    assert "was withdrawn" in refused.content.decode()
    browser.post("/data/1/restore/")
    browser.post("/data/1/doi/")
    withdraw(world, olga)
    browser.post("/data/1/doi/", {"doi": "10.5281/zenodo.1234567"})
    told = dated(browser.get("/data/1/CITATION.cff").content.decode())
    checked("cff-1.2.0.json", told)
    assert REASON in told["message"]
    datacite = json.loads(browser.get("/data/1/datacite.json").content)
    checked("datacite-v4.5.json", datacite)
    assert [each["dateType"] for each in datacite["dates"]] == ["Issued", "Withdrawn"]
    assert datacite["dates"][1]["dateInformation"] == REASON
    xml = browser.get("/data/1/datacite.xml").content.decode()
    assert f'dateType="Withdrawn" dateInformation="{REASON}"' in xml
    page = browser.get("/data/1/").content.decode()
    assert "10.5281/zenodo.1234567" in page
    assert "(version 1, withdrawn)" in page


def test_fetching_says_it_once_and_asks_once(
    world: World, olga: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.hosting import pages

    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    publish(folder)
    token = tmp_path / "token"
    token.write_text(world.token(accepted(world)))
    asked: list[str] = []
    version_called = pages.version_called
    monkeypatch.setattr(pages, "version_called", lambda name: asked.append(name) or version_called(name))
    with on_a_port() as address:
        add = ("catalog", "add", f"{address}data/2/manifest.json", "--token-file", token)
        assert run_in_process(*add).status == 0
        withdraw(world, olga, 2)
        asked.clear()
        fetched = run_in_process("fetch", "sensorium-2022", "--accept-licence", "--quiet", "--to", tmp_path / "mice")
        assert_one_sentence(fetched, "does not offer it any more (410)", REASON, f"{address}data/1/")
        assert "and 2 other files" in fetched.err
        assert fetched.status == 1, "not an outage"
        assert len(asked) == 3, "each file once"
        added = run_in_process(*add, "--overwrite")
        assert_one_sentence(added, "any more (410)", "Version 2 of the data was withdrawn on", REASON)


def test_the_name_of_a_deleted_organiser_is_nowhere(world: World, olga: Any) -> None:
    from striate.portal.accounts import own_data
    from striate.portal.models import Withdrawal

    withdraw(world, olga)
    olga.is_staff = olga.is_superuser = False
    olga.save()
    own_data.delete(olga)
    assert Withdrawal.objects.get().by is None
