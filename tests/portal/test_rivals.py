"""Whoever competes, organisers and administrators included, sees of rivals what every participant sees, and nothing else."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.portal.test_organising import staff
from tests.portal.world import World

# What tells somebody of a submission of Ada's: of its file, its note, its state, or who she is.
SECRET = ("secret-file.parquet", "secret note", "Secret method", "ada@example.org", "Secret Team")


@dataclass
class Scene:
    """A submission of Ada's that stands on no board, and what is told about it in the tables."""

    sent: Any
    own: Any
    root: Any
    otto: Any
    judge: Any


@pytest.fixture
def scene(world: World) -> Scene:
    from striate.portal.entries.card import MethodCard
    from striate.portal.entries.keeping import keep
    from striate.portal.models import Acceptance, Submission

    ada = world.person("ada", team="Secret Team")
    root = world.person("root", staff=True, team="Rivals")
    otto = staff(world, "otto", team="Others")
    judge = staff(world, "judge")
    sent = world.scored(ada, world.file(0.5), filename="secret-file.parquet", note="secret note")
    better = world.scored(ada, world.file(0.6))
    keep(sent, MethodCard(summary="Secret method."))
    Acceptance.objects.create(user=ada, sha256="0" * 64, terms="terms")
    own = world.scored(root, world.file(0.3))
    assert better.state == "scored"
    return Scene(Submission.objects.get(pk=sent.pk), own, root, otto, judge)


def rows() -> list[tuple[str, Any]]:
    """Every table of the admin, and each of its rows."""
    from django.contrib import admin

    return [(model._meta.model_name, row) for model in admin.site._registry for row in model._base_manager.all()]


@pytest.mark.slow
@pytest.mark.parametrize("who", ["root", "otto"])
def test_no_list_and_no_page_of_the_admin_tells_of_rivals(world: World, scene: Scene, who: str) -> None:
    from django.contrib import admin
    from django.urls import reverse

    browser = world.browser(getattr(scene, who))
    for model in admin.site._registry:
        page = browser.get(reverse(f"admin:portal_{model._meta.model_name}_changelist"))
        assert page.status_code == 200
        text = page.content.decode()
        assert not [each for each in SECRET if each in text], model
    for name, row in rows():
        for kind in ("change", "history", "delete"):
            text = browser.get(reverse(f"admin:portal_{name}_{kind}", args=[row.pk])).content.decode()
            assert not [each for each in SECRET if each in text], (name, kind)
    told = world.browser(scene.judge).get("/admin/portal/submission/").content.decode()
    assert "secret-file.parquet" in told, "who does not compete sees everything"


def test_lists_say_that_rivals_are_left_out_and_show_what_is_ones_own(world: World, scene: Scene) -> None:
    page = world.browser(scene.root).get("/admin/portal/submission/").content.decode()
    assert "without other teams, since you compete in team Rivals" in page
    assert "1 submission" in page
    assert "since you compete" not in world.browser(scene.judge).get("/admin/portal/submission/").content.decode()


def test_nobody_who_competes_has_scores_at_full_precision(world: World, scene: Scene) -> None:
    from striate.portal.models import Score

    value = repr(Score.objects.get(submission=scene.own).value)
    assert value not in world.browser(scene.root).get("/admin/portal/score/").content.decode()
    assert world.browser(scene.judge).get("/admin/portal/score/").content.decode().count("field-value") == 3


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "life/", "receipt.json", "file/"])
def test_pages_of_submissions_are_closed_to_rivals(world: World, scene: Scene, path: str) -> None:
    for person in (scene.root, scene.otto):
        answer = world.browser(person).get(f"/submissions/{scene.sent.pk}/{path}")
        assert answer.status_code == 403
        assert "nobody who competes" in answer.content.decode()
    allowed = world.browser(scene.judge).get(f"/submissions/{scene.sent.pk}/{path}")
    assert allowed.status_code == 200
    allowed.close()


@pytest.mark.slow
def test_neither_the_api_nor_an_entry_tells_more(world: World, scene: Scene) -> None:
    receipt = scene.sent.links.get(kind="submission").number
    for person, status in ((scene.root, 404), (scene.otto, 404), (scene.judge, 200)):
        api = world.api(person)
        assert api("GET", f"submissions/{scene.sent.pk}").status_code == status
        assert api("GET", f"submissions/{scene.sent.pk}/card").status_code == status
        assert world.browser(person).get(f"/entries/{receipt}/").status_code == status, "it stands on no board"


@pytest.mark.slow
def test_the_overview_counts_ones_own_and_tells_of_no_twins(world: World, scene: Scene) -> None:
    ben = world.person("ben", team="Ben")
    world.scored(ben, world.file(0.3))
    page = world.browser(scene.root).get("/organise/").content.decode()
    assert "The same file from two teams" not in page
    assert 'state__exact=scored">1</a>' in page
    assert "You compete in team Rivals" in page
    page = world.browser(scene.root).get(f"/submissions/{scene.own.pk}/").content.decode()
    assert "Ben" not in page
    page = world.browser(scene.judge).get("/organise/").content.decode()
    assert "The same file from two teams" in page
    assert 'state__exact=scored">4</a>' in page
    assert "Ben" in world.browser(scene.judge).get(f"/submissions/{scene.own.pk}/").content.decode()


def test_the_audit_log_tells_nothing_of_rivals_submissions(world: World, scene: Scene) -> None:
    from striate.portal.organising import audit

    audit.note(scene.judge, "queue again", about=scene.sent)
    audit.note(scene.judge, "queue again", about=scene.own)
    for person, count in ((scene.root, 1), (scene.otto, 0), (scene.judge, 2)):
        page = world.browser(person).get("/admin/portal/auditentry/?what=queue+again").content.decode()
        assert page.count('class="field-about') == count


def test_whoever_competes_changes_neither_teams_nor_accounts_of_rivals(world: World, scene: Scene) -> None:
    from striate.portal.models import Membership, User

    ada = User.objects.get(username="ada")
    browser = world.browser(scene.root)
    secret = {"usable_password": "true", "password1": "another dull password", "password2": "another dull password"}
    browser.post(f"/admin/portal/user/{ada.pk}/password/", secret)
    assert not world.browser().login(username="ada", password="another dull password")
    for action in ("anonymise", "approve", "delete_selected"):
        browser.post("/admin/portal/user/", {"action": action, "_selected_action": [ada.pk], "post": "yes"})
    assert User.objects.get(pk=ada.pk).username == "ada"
    for team in (ada.team, scene.root.team):
        browser.post(f"/admin/portal/team/{team.pk}/change/", {"disqualified_for": "They cheat."})
        browser.post(f"/admin/portal/team/{team.pk}/delete/", {"post": "yes"})
        team.refresh_from_db()
        assert not team.disqualified_for
    assert Membership.objects.get(user=scene.root).team.name == "Rivals", "or all would be shown again"


def test_baselines_are_no_rivals_but_their_files_are_kept_apart(world: World, scene: Scene) -> None:
    name = world.built.rules.baselines[0].name
    made = world.scored(scene.root, world.file(0.4), team=None, baseline=name)
    browser = world.browser(scene.root)
    assert browser.get(f"/submissions/{made.pk}/").status_code == 200
    assert browser.get(f"/submissions/{made.pk}/file/").status_code == 403
    assert world.api(scene.root)("GET", f"submissions/{made.pk}").status_code == 200


def test_that_an_organiser_competes_is_in_the_audit_log(world: World) -> None:
    from striate.portal.models import AuditEntry, Team

    judge, ada = staff(world, "judge"), world.person("ada", team="Ada")
    browser = world.browser(judge)
    browser.post("/team/", {"name": "Judges"})
    browser.post("/team/leave/")
    browser.post(f"/team/join/{Team.objects.get(name='Ada').invitation}/")
    world.browser(ada).post("/team/leave/")
    found = AuditEntry.objects.filter(what__endswith=" team").order_by("number").values_list("what", "account")
    assert list(found) == [(f"{what} team", judge.pk) for what in ("make", "leave", "join")]
