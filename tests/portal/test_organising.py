"""What organisers do: announce, disqualify, approve, find the same file twice."""

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.portal.world import World

HARM = """# News

**Bold** <script>alert(1)</script> [a link](javascript:alert(1)) [good](https://example.org) ![spy](https://evil.example/x.png)

<img src=x onerror=alert(1)>
"""


def announce(**fields: Any) -> Any:
    from striate.portal.models import Announcement

    return Announcement.objects.create(**{"title": "The <deadline>", "text": HARM, **fields})


def test_an_announcement_is_shown_safely_everywhere(world: World) -> None:
    announce(banner=True)
    for path in ("/", "/announcements/"):
        page = world.browser().get(path).content.decode()
        assert "<strong>Bold</strong>" in page
        assert 'href="https://example.org"' in page
        for harm in ("<script>alert", 'href="javascript:', '<img src="http', 'evil.example/x.png"', "<deadline>"):
            assert harm not in page, harm
    assert "The &lt;deadline&gt;" in world.browser().get("/boards/").content.decode(), "the banner is on every page"
    feed = world.browser().get("/announcements.atom")
    assert feed["Content-Type"].startswith("application/atom+xml")
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.fromstring(feed.content)
    space = {"a": "http://www.w3.org/2005/Atom"}
    assert [each.text for each in root.findall("a:entry/a:title", space)] == ["The <deadline>"]
    assert "<script>alert" not in str(root.findtext("a:entry/a:summary", namespaces=space))


def test_an_announcement_has_its_time(world: World) -> None:
    from django.utils import timezone

    now = timezone.now()
    announce(title="Past", ends=now - timedelta(hours=1), starts=now - timedelta(days=1))
    announce(title="Future", starts=now + timedelta(hours=1))
    announce(title="Now", starts=now - timedelta(hours=1), ends=now + timedelta(hours=1))
    page = world.browser().get("/announcements/").content.decode()
    assert "Now" in page
    assert "Past" not in page
    assert "Future" not in page
    olga = world.browser(world.person("olga", staff=True))
    wrong = {"title": "x", "starts_0": "2030-01-02", "starts_1": "10:00", "ends_0": "2030-01-01", "ends_1": "10:00"}
    assert "must end after" in olga.post("/admin/portal/announcement/add/", wrong).content.decode()
    assert olga.post("/admin/portal/announcement/add/", wrong | {"ends_0": "2030-01-03"}).status_code == 302


def change(world: World, olga: Any, team: Any, reason: str) -> Any:
    members = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    path = f"/admin/portal/team/{team.pk}/change/"
    return world.browser(olga).post(path, {"disqualified_for": reason, **members})


@pytest.mark.slow
def test_a_disqualified_team_leaves_the_boards_and_its_receipts_stay(world: World) -> None:
    from striate.errors import InputError
    from striate.portal.models import AuditEntry, Team

    olga, ada, ben = world.person("olga", staff=True), world.person("ada", team="Ada"), world.person("ben", team="Ben")
    world.scored(ada, world.file(0.7))
    world.scored(ben, world.file(0.5))
    receipts = b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    assert change(world, olga, ada.team, "two accounts of one person").status_code == 302
    world.work()
    shown = world.browser().get("/boards/sensorium-image.json").json()["rows"]
    assert [(row["team"], row["rank"]) for row in shown] == [("Ben", 1)]
    page = world.browser().get("/boards/sensorium-image/").content.decode()
    assert "two accounts of one person" in page
    assert b"".join(world.browser().get("/receipts.jsonl").streaming_content).startswith(receipts)
    with pytest.raises(InputError, match="disqualified"):
        world.send(ada, world.file(0.3))
    (entry,) = AuditEntry.objects.filter(what="change team")
    assert entry.after["disqualified_for"] == "two accounts of one person"
    assert entry.before["disqualified_at"] is None
    assert change(world, olga, ada.team, "").status_code == 302
    world.work()
    assert Team.objects.get(name="Ada").disqualified_at is None
    assert len(world.browser().get("/boards/sensorium-image.json").json()["rows"]) == 2


@pytest.mark.slow
def test_a_team_that_submitted_cannot_be_removed(world: World) -> None:
    from striate.portal.models import Team

    olga, ada = world.browser(world.person("olga", staff=True)), world.person("ada", team="Ada")
    idle = world.person("ida", team="Idle").team
    world.scored(ada, world.file(0.5))
    assert olga.post(f"/admin/portal/team/{ada.team.pk}/delete/", {"post": "yes"}).status_code == 403
    both = {"action": "delete_selected", "_selected_action": [ada.team.pk, idle.pk], "post": "yes"}
    olga.post("/admin/portal/team/", both)
    assert Team.objects.filter(name="Ada").exists()
    assert olga.post(f"/admin/portal/team/{idle.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Team.objects.filter(name="Idle").exists()


def test_what_nobody_can_see_is_left_out_of_announcements(world: World) -> None:
    """A feed cannot hold control characters, and one that turns text around concerns every page."""
    from striate.portal.models import Announcement, MaintenanceWindow

    olga = world.browser(world.person("olga", staff=True))
    dates = {"starts_0": "2026-01-01", "starts_1": "00:00:00"}
    announced = {"title": "The \u202eend\x1b[2J", "text": "- one\x0b\r\n    - two\u202e", "banner": "on", **dates}
    assert olga.post("/admin/portal/announcement/add/", announced).status_code == 302
    kept = Announcement.objects.get()
    assert (kept.title, kept.text) == ("The end[2J", "- one\n    - two")
    assert world.browser().get("/announcements.atom").status_code == 200
    window = {"message": "so\u202eon", "ends_0": "2026-01-02", "ends_1": "00:00:00", **dates}
    assert olga.post("/admin/portal/maintenancewindow/add/", window).status_code == 302
    assert MaintenanceWindow.objects.get().message == "soon"


def test_a_text_that_takes_long_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with method cards are public, and each of six texts can take a second."""
    from striate.portal import markdown

    calls: list[str] = []
    real = markdown.parsed

    def counted(text: str, **options: Any) -> Any:
        calls.append(text)
        return real(text, **options)

    monkeypatch.setattr(markdown, "parsed", counted)
    for _ in range(3):
        assert "[[[[" in markdown.rendered("[" * 200, of_strangers=True)
    assert len(calls) == 1


def test_what_somebody_else_decided_is_not_taken_back_by_an_older_form(world: World) -> None:
    """Two organisers have the page of a team open; one disqualifies it, the other saves what stood there before."""
    olga, ada = world.browser(world.person("olga", staff=True)), world.person("ada", team="Ada")
    world.scored(ada, world.file(0.5))
    page = f"/admin/portal/team/{ada.team.pk}/change/"
    seen = re.search(r'name="as_seen" value="(\w+)"', olga.get(page).content.decode())
    assert seen
    change(world, world.person("otto", staff=True), ada.team, "It submitted under two names.")
    old = {"as_seen": seen[1], "disqualified_for": "", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    answer = olga.post(page, old)
    assert "Somebody has changed this since you opened the page" in answer.content.decode()
    assert ada.team.disqualified_for == "It submitted under two names."
    now = re.search(r'name="as_seen" value="(\w+)"', olga.get(page).content.decode())
    assert now
    assert olga.post(page, old | {"as_seen": now[1]}).status_code == 302
    assert ada.team.disqualified_for == ""


@pytest.mark.parametrize(
    "kept", [("is_staff", "is_active"), ("is_superuser", "is_active"), ("is_superuser", "is_staff")]
)
def test_the_only_administrator_cannot_stop_being_one(world: World, kept: tuple[str, str]) -> None:
    from striate.portal.models import User

    olga = world.person("olga", staff=True)
    fields = {"username": "olga", "email": olga.email, **dict.fromkeys(kept, "on")}
    page = f"/admin/portal/user/{olga.pk}/change/"
    assert "the only administrator" in world.browser(olga).post(page, fields).content.decode()
    world.person("otto", staff=True)
    assert world.browser(olga).post(page, fields).status_code == 302
    assert not User.objects.get(pk=olga.pk).__dict__[({"is_active", "is_staff", "is_superuser"} - {*kept}).pop()]


def test_a_portal_whose_administrators_are_gone_starts_and_has_one_again(world: World) -> None:
    from striate.portal.models import User
    from striate.portal.running.prepare import _administrator

    assert _administrator() is not None
    assert _administrator() is None
    User.objects.update(is_active=False, is_superuser=False)
    made = _administrator()
    assert made is not None
    admin = User.objects.get(username=made.username)
    assert admin.check_password(made.password)
    assert (admin.is_active, admin.is_staff, admin.is_superuser) == (True, True, True)


@pytest.mark.parametrize(
    ("username", "email", "said"),
    [
        ("ada", "nonsense", "valid email"),
        ("ada b", "ada@example.org", "valid username"),
        ("", "ada@example.org", "blank"),
    ],
)
def test_an_account_by_command_has_a_name_and_an_address(world: World, username: str, email: str, said: str) -> None:
    from striate.errors import InputError
    from striate.portal.models import User
    from striate.portal.running.prepare import new_account

    with pytest.raises(InputError, match=said):
        new_account(username, email, "Ada")
    assert not User.objects.exists()


@pytest.mark.slow
def test_the_same_file_from_two_teams_is_shown_to_organisers_alone(world: World) -> None:
    from striate.portal.organising.pages import same_files

    olga = world.person("olga", staff=True)
    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    first = world.scored(ada, world.file(0.5))
    world.scored(ben, world.file(0.3))
    assert same_files() == []
    world.scored(ben, world.file(0.5))
    ((digest, group),) = same_files()
    assert digest == first.sha256
    assert {each.row for each in group} == {"Ada", "Ben"}
    page = world.browser(olga).get("/organise/").content.decode()
    assert digest[:16] in page
    listed = world.browser(olga).get("/admin/portal/submission/?same=yes").content.decode()
    assert listed.count('class="field-row') == 2
    for user in (ada, ben):
        text = world.browser(user).get(f"/submissions/{user.team.submissions.first().pk}/").content.decode()
        assert ("Ben" if user == ada else "Ada") not in text


def test_failed_submissions_are_queued_again_in_the_admin(world: World) -> None:
    from striate.portal.models import AuditEntry, Submission
    from striate.portal.scoring.housekeeping import fail

    olga, ada = world.browser(world.person("olga", staff=True)), world.person("ada", team="Ada")
    sent = world.send(ada, world.file(0.5))
    from striate.portal.receiving.soon import check_soon

    fail(check_soon(sent), "a disk")
    answer = olga.post("/admin/portal/submission/", {"action": "again", "_selected_action": [str(sent.pk)]})
    assert answer.status_code == 302
    assert AuditEntry.objects.filter(what="queue again", about=f"submission {sent.pk}").count() == 1
    world.work()
    assert Submission.objects.get(pk=sent.pk).state == "scored"


def test_who_waits_for_approval_is_shown(world: World) -> None:
    olga = world.browser(world.person("olga", staff=True))
    world.person("new", admitted=False)
    assert "1 account waits" in olga.get("/organise/").content.decode()
    listed = olga.get("/admin/portal/user/?admitted=no").content.decode()
    assert "new@example.org" in listed
    assert "olga@example.org" not in listed


def test_phases_are_shown_and_lead_to_where_they_are_moved(world: World) -> None:
    page = world.browser(world.person("olga", staff=True)).get("/organise/").content.decode()
    assert 'href="/organise/phases/"' in page
    assert "evaluation" in page


def staff(world: World, name: str = "otto", **options: Any) -> Any:
    """An organiser who is no administrator."""
    from striate.portal.models import User

    made = world.person(name, staff=True, **options)
    User.objects.filter(pk=made.pk).update(is_superuser=False)
    return User.objects.get(pk=made.pk)


@pytest.mark.slow
def test_an_organiser_who_is_no_administrator_does_what_the_pages_offer_and_no_more(world: World) -> None:
    from django.contrib import admin
    from django.urls import reverse

    from striate.portal.models import User

    otto, ada = staff(world), world.person("ada", team="Ada", admitted=False)
    root = world.person("root", staff=True)
    browser = world.browser(otto)
    pages = ["admin:index", *(f"admin:portal_{model._meta.model_name}_changelist" for model in admin.site._registry)]
    assert {browser.get(reverse(page)).status_code for page in pages} == {200}
    browser.post("/admin/portal/user/", {"action": "approve", "_selected_action": [ada.pk]})
    assert User.objects.get(pk=ada.pk).approved_at is not None
    for page in ("portal/announcement/add/", "portal/maintenancewindow/add/", f"portal/team/{ada.team.pk}/change/"):
        assert browser.get(f"/admin/{page}").status_code == 200
    marks = {
        "username": "ada",
        "name": "",
        "email": "ada@example.org",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
    }
    browser.post(f"/admin/portal/user/{ada.pk}/change/", marks)
    browser.post(f"/admin/portal/user/{otto.pk}/change/", marks | {"username": "otto", "email": "otto@example.org"})
    others = User.objects.exclude(username="admin")
    assert set(others.filter(is_superuser=True)) == {root}
    assert set(others.filter(is_staff=True)) == {root, otto}
    secret = {"usable_password": "true", "password1": "another dull password", "password2": "another dull password"}
    assert browser.post(f"/admin/portal/user/{root.pk}/password/", secret).status_code == 403
    assert world.browser(ada).get("/admin/").status_code == 302


@pytest.mark.slow
def test_nobody_who_competes_gets_files_of_rivals(world: World) -> None:
    ada, root = world.person("ada", team="Ada"), world.person("root", staff=True, team="Rivals")
    sent, own = world.scored(ada, world.file(0.5)), world.scored(root, world.file(0.3))
    for person in (root, staff(world, "otto", team="Otto")):
        answer = world.browser(person).get(f"/submissions/{sent.pk}/file/")
        assert answer.status_code == 403
        assert "nobody who competes" in answer.content.decode()
    assert own.state == sent.state == "scored", own.reason
    for person, each in ((root, own), (ada, sent), (staff(world, "olga"), sent)):
        answer = world.browser(person).get(f"/submissions/{each.pk}/file/")
        assert answer.status_code == 200
        answer.close()


@pytest.mark.slow
def test_an_account_that_accepted_terms_is_anonymised_and_its_receipts_stay(world: World) -> None:
    from striate.portal.models import Acceptance, AuditEntry, Link, User
    from striate.portal.organising.audit import verified

    otto, ada = staff(world), world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5))
    Acceptance.objects.create(user=ada, sha256="0" * 64, terms="terms")
    world.browser(ada).post("/accounts/tokens/", {"name": "laptop"})
    browser = world.browser(otto)
    assert browser.post(f"/admin/portal/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 403
    before = list(Link.objects.values_list("body", flat=True))
    browser.post("/admin/portal/user/", {"action": "anonymise", "_selected_action": [ada.pk, otto.pk]})
    left = User.objects.get(pk=ada.pk)
    assert (left.username, left.name, left.is_active) == (f"deleted-{ada.pk}", "", False)
    assert not User.objects.filter(username="ada").exists()
    assert User.objects.get(pk=otto.pk).is_active, "an organiser is not taken down by accident"
    assert list(Link.objects.values_list("body", flat=True)) == before
    assert Acceptance.objects.filter(user=ada).exists()
    assert sent.team.name == "Ada"
    assert sum(1 for _ in verified()) == AuditEntry.objects.count()
    assert not [each for each in AuditEntry.objects.all() if "ada" in str(each.body).lower()]


def test_the_log_does_not_name_an_account_that_a_command_or_an_organiser_made(world: World) -> None:
    from striate.portal.models import AuditEntry
    from striate.portal.running.prepare import new_account

    new_account("carla", "carla@example.org", "Team C")
    person = {"username": "dora", "name": "Dora", "email": "dora@example.org", "usable_password": "false"}
    world.browser(staff(world)).post("/admin/portal/user/add/", person)
    entries = [each for each in AuditEntry.objects.all() if each.what in ("add account", "add user")]
    assert len(entries) == 2
    assert not [each for each in entries if "carla" in str(each.body) or "dora" in str(each.body)]
