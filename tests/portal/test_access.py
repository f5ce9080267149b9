"""Who may do what, as a table: every address × everybody. A new address that is not in the table fails the test."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.portal.world import World

WHO = ("anonymous", "participant", "other team", "organiser")
SIGN_IN = "sign-in"  # led to the page where that is done


@dataclass(frozen=True)
class Case:
    """An address, how it is asked, and the answers to anonymous, a participant, somebody of another team, an organiser."""

    answers: tuple[int | str, int | str, int | str, int | str]
    method: str = "GET"
    path: Callable[["Scene"], str] | None = None


@dataclass
class Scene:
    """What the addresses are about: all of it is the participant's."""

    submission: Any
    token: Any
    upload: Any
    tried: Any
    snapshot: str


ALL = (200, 200, 200, 200)
IN = (SIGN_IN, 200, 200, 200)
OWN = (SIGN_IN, 200, 404, 200)
TABLE: dict[str, Case] = {
    "home": Case(ALL),
    "health": Case(ALL),
    "api-reference": Case(ALL, path=lambda s: "/api/"),
    "ready": Case((503, 503, 503, 503)),  # there is no worker
    "metrics": Case(ALL),  # from this machine; test_watching has the others
    "announcements": Case(ALL),
    "announcements-feed": Case(ALL),
    "organise": Case((SIGN_IN, 403, 403, 200)),
    "phases": Case((SIGN_IN, 403, 403, 200)),
    "rescore": Case((SIGN_IN, 403, 403, 302), "POST"),
    "icon": Case((302, 302, 302, 302)),
    "language": Case((302, 302, 302, 302), "POST"),
    "boards": Case(ALL),
    "board": Case(ALL, path=lambda s: "/boards/sensorium-image/"),
    "board-json": Case(ALL, path=lambda s: "/boards/sensorium-image.json"),
    "board-csv": Case(ALL, path=lambda s: "/boards/sensorium-image.csv"),
    "final-board": Case((404, 404, 404, 404), path=lambda s: "/boards/sensorium-image/final/"),
    "final-json": Case((404, 404, 404, 404), path=lambda s: "/boards/sensorium-image/final.json"),
    "final-csv": Case((404, 404, 404, 404), path=lambda s: "/boards/sensorium-image/final.csv"),
    "entry": Case(ALL, path=lambda s: "/entries/1/"),
    "card": Case((SIGN_IN, 200, 404, 404), path=lambda s: f"/submissions/{s.submission.pk}/card/"),
    "rules": Case(ALL),
    "commitment": Case(ALL),
    "receipts": Case(ALL),
    "data": Case(ALL),
    "accept": Case((SIGN_IN, 302, 302, 302), "POST"),
    "manifest": Case((401, 200, 403, 403)),
    "versions": Case(ALL),
    "version": Case(ALL, path=lambda s: "/data/1/"),
    "changes": Case((404, 404, 404, 404), path=lambda s: "/data/1/changes/"),
    "describe": Case((SIGN_IN, 403, 403, 200), path=lambda s: "/data/1/describe/"),
    "withdraw": Case((SIGN_IN, 403, 403, 200), path=lambda s: "/data/1/withdraw/"),
    "restore": Case((SIGN_IN, 403, 403, 302), "POST", path=lambda s: "/data/1/restore/"),
    "doi": Case((SIGN_IN, 403, 403, 200), path=lambda s: "/data/1/doi/"),
    "canonical": Case(ALL, path=lambda s: "/data/1/snapshot.json"),
    "citation": Case(ALL, path=lambda s: "/data/1/CITATION.cff"),
    "datacite-json": Case(ALL, path=lambda s: "/data/1/datacite.json"),
    "datacite-xml": Case(ALL, path=lambda s: "/data/1/datacite.xml"),
    "bulk": Case((401, 200, 403, 403), path=lambda s: f"/data/{s.snapshot}/archive.tar"),
    "snapshot-manifest": Case((401, 200, 403, 403), path=lambda s: f"/data/{s.snapshot}/manifest.json"),
    "recordings": Case(ALL),
    "recording": Case((401, 200, 403, 403), path=lambda s: "/data/recordings/11-1-1/"),
    "recording-state": Case((401, 200, 403, 403), path=lambda s: "/data/recordings/11-1-1/state/"),
    "recording-part": Case((401, 404, 403, 403), path=lambda s: f"/data/recordings/11-1-1/{'0' * 24}/summary.json"),
    "version-recordings": Case(ALL, path=lambda s: "/data/1/recordings/"),
    "version-recording": Case((401, 200, 403, 403), path=lambda s: "/data/1/recordings/11-1-1/"),
    "version-recording-state": Case((401, 200, 403, 403), path=lambda s: "/data/1/recordings/11-1-1/state/"),
    "file": Case((401, 200, 403, 403), path=lambda s: f"/data/{s.snapshot}/files/competition.toml"),
    "sign-up": Case(ALL),
    "sign-in": Case((200, 302, 302, 302)),
    "sign-out": Case((302, 302, 302, 302), "POST"),
    "reset": Case(ALL),
    "password_reset_done": Case(ALL),
    "password_reset_confirm": Case(ALL, path=lambda s: "/accounts/reset/AA/wrong/"),
    "verify": Case((400, 400, 400, 400), path=lambda s: "/accounts/verify/wrong/"),
    "verify-again": Case((SIGN_IN, 302, 302, 302), "POST"),
    "account": Case(IN),
    "password": Case(IN),
    "export": Case(IN),
    "delete": Case((SIGN_IN, 200, 200, 400)),
    "make-token": Case((SIGN_IN, 302, 302, 302), "POST"),
    "revoke-token": Case((SIGN_IN, 302, 302, 302), "POST", lambda s: f"/accounts/tokens/{s.token.pk}/revoke/"),
    "team": Case(IN),
    "join": Case((SIGN_IN, 302, 400, 200), path=lambda s: f"/team/join/{s.submission.team.invitation}/"),
    "address": Case(IN),
    "change-address": Case((400, 400, 400, 400), path=lambda s: "/accounts/address/wrong/"),
    "rename": Case((SIGN_IN, 400, 302, 302), "POST"),
    "new-invitation": Case((SIGN_IN, 302, 302, 302), "POST"),
    "leave": Case((SIGN_IN, 400, 302, 302), "POST"),
    "submit": Case(IN),
    "confirm": Case((SIGN_IN, 200, 302, 302), path=lambda s: f"/submit/{s.tried.pk}/"),
    "submission": Case(OWN, path=lambda s: f"/submissions/{s.submission.pk}/"),
    "life": Case(OWN, path=lambda s: f"/submissions/{s.submission.pk}/life/"),
    "sent-file": Case(OWN, path=lambda s: f"/submissions/{s.submission.pk}/file/"),
    "receipt": Case(OWN, path=lambda s: f"/submissions/{s.submission.pk}/receipt.json"),
    "cancel-upload": Case((SIGN_IN, 302, 404, 404), "POST", lambda s: f"/submit/{s.tried.pk}/cancel/"),
    "choose": Case((SIGN_IN, 302, 404, 404), "POST", lambda s: f"/submissions/{s.submission.pk}/choose/"),
    "note": Case((SIGN_IN, 302, 404, 404), "POST", lambda s: f"/submissions/{s.submission.pk}/note/"),
    "again": Case((SIGN_IN, 404, 404, 302), "POST", lambda s: f"/submissions/{s.submission.pk}/again/"),
    "api:openapi-json": Case(ALL),
    "api:api-root": Case((404, 404, 404, 404)),
    "api:about": Case(ALL),
    "api:keys": Case((401, 200, 200, 200)),
    "api:begin_upload": Case((401, 422, 422, 422), "POST"),
    "api:unfinished_uploads": Case((401, 200, 200, 200), path=lambda s: "/api/v1/uploads"),
    "api:upload_state": Case((401, 200, 404, 404), path=lambda s: f"/api/v1/uploads/{s.upload.pk}"),
    "api:continue_upload": Case((401, 422, 422, 422), "PUT", lambda s: f"/api/v1/uploads/{s.upload.pk}"),
    "api:new_submission": Case((401, 422, 422, 422), "POST"),
    "api:cancel_upload": Case((401, 204, 404, 404), "DELETE", lambda s: f"/api/v1/uploads/{s.upload.pk}"),
    "api:method_card": Case((401, 404, 404, 404), path=lambda s: f"/api/v1/submissions/{s.submission.pk}/card"),
    "api:write_card": Case((401, 422, 422, 422), "PUT", lambda s: f"/api/v1/submissions/{s.submission.pk}/card"),
    "api:all_versions": Case(ALL),
    "api:missing": Case((401, 403, 403, 422), "POST"),
    "api:begin_content": Case((401, 403, 403, 422), "POST"),
    "api:small_contents": Case((401, 403, 403, 422), "PUT"),
    "api:whole_content": Case((401, 403, 403, 422), "POST"),
    "api:publish": Case((401, 403, 403, 422), "POST"),
    "api:own_submissions": Case((401, 200, 200, 200)),
    "api:one_submission": Case((401, 200, 404, 200), path=lambda s: f"/api/v1/submissions/{s.submission.pk}"),
}


def names() -> Iterator[tuple[str, str]]:
    """Name and pattern of every address but the admin's, whose own test follows."""
    from django.urls import URLPattern, get_resolver

    def within(patterns: Any, space: str, path: str) -> Iterator[tuple[str, str]]:
        for each in patterns:
            here = f"{path}{each.pattern}"
            if isinstance(each, URLPattern):
                yield f"{space}{each.name}", here
            elif each.namespace != "admin":
                yield from within(each.url_patterns, f"{each.namespace}:" if each.namespace else space, here)

    return within(get_resolver().url_patterns, "", "/")


@pytest.fixture
def scene(world: World) -> Scene:
    from striate.portal.hosting.dataset import terms_digest, terms_text, version
    from striate.portal.models import Acceptance, Token, Upload
    from striate.portal.organising import audit

    ada = world.person("ada", team="Ada")
    world.person("ben", team="Ben")
    world.person("olga", staff=True)
    sent = world.scored(ada, world.file(0.5))
    Acceptance.objects.create(user=ada, sha256=terms_digest(), terms=terms_text())
    audit.note(ada, "look")
    upload = Upload.objects.create(id=uuid4(), by=ada, filename="x", size=10, sha256="0" * 64)
    tried = world.tried(ada, world.file(0.3))
    return Scene(sent, Token.make(ada, "one")[0], upload, tried, version())


def test_every_address_is_in_the_table(world: World) -> None:
    known = {name for name, _ in names()}
    assert known == set(TABLE), f"not in the table: {known - set(TABLE)}; no address: {set(TABLE) - known}"


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
def test_everybody_gets_what_the_table_says(world: World, scene: Scene, who: str) -> None:
    from django.urls import reverse

    from striate.portal.models import User

    people = {"participant": "ada", "other team": "ben", "organiser": "olga"}
    wrong = []
    for name, case in TABLE.items():
        path = case.path(scene) if case.path else reverse(name)
        expected = case.answers[WHO.index(who)]
        user = User.objects.get(username=people[who]) if who in people else None
        program = name.startswith("api:")
        browser = world.browser(None if program else user)
        headers = {"Authorization": f"Bearer {world.token(user)}"} if program and user else {}
        kind = "application/json" if program else "text/plain"
        answer = browser.generic(case.method, path, content_type=kind, headers=headers)
        got: int | str = answer.status_code
        if got == 302 and "/accounts/sign-in/" in answer.headers["Location"]:
            got = SIGN_IN
        if got != expected:
            wrong.append(f"{case.method} {path} as {who}: {got}, and the table says {expected}")
        answer.close()
        _put_back()
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_head_is_answered_as_get_is_and_changes_nothing(world: World, scene: Scene) -> None:
    from django.urls import reverse

    from striate.portal.models import Membership, User

    before = sorted(Membership.objects.values_list("user", "team"))
    wrong = []
    for who in (None, "ada", "ben"):
        for name, case in TABLE.items():
            if case.method != "GET" or name.startswith("api:") or name in ("verify", "recording-state"):
                continue  # a link that verifies an address is for GET alone
            browser = world.browser(User.objects.get(username=who) if who else None)
            path = case.path(scene) if case.path else reverse(name)
            head, get = browser.head(path), browser.get(path)
            if head.status_code != get.status_code:
                wrong.append(f"{path} as {who}: HEAD {head.status_code}, GET {get.status_code}")
            get.close()
    _put_back()
    assert not wrong, "\n".join(wrong)
    assert sorted(Membership.objects.values_list("user", "team")) == before


def _put_back() -> None:
    """Whoever has left a team is in it again."""
    from striate.portal.models import Membership, Team, User

    for user in User.objects.filter(username__in=("ada", "ben")):
        if not Membership.objects.filter(user=user).exists():
            Membership.objects.create(user=user, team=Team.objects.get_or_create(name=user.username.title())[0])


@pytest.mark.parametrize(("who", "expected"), [(None, 302), ("ada", 302), ("olga", 200)])
def test_the_admin_is_for_organisers(world: World, scene: Scene, who: str | None, expected: int) -> None:
    from django.contrib import admin
    from django.urls import reverse

    from striate.portal.models import User

    browser = world.browser(User.objects.get(username=who) if who else None)
    pages = ["admin:index", *(f"admin:portal_{model._meta.model_name}_changelist" for model in admin.site._registry)]
    assert {browser.get(reverse(page)).status_code for page in pages} == {expected}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["score", "submission", "transition", "link", "acceptance", "auditentry", "snapshot"])
def test_what_is_written_once_cannot_be_changed_in_the_admin(world: World, scene: Scene, model: str) -> None:
    from django.apps import apps
    from django.urls import reverse

    from striate.portal.models import User

    browser = world.browser(User.objects.get(username="olga"))
    row = apps.get_model("portal", model).objects.first()
    assert browser.get(reverse(f"admin:portal_{model}_change", args=[row.pk])).status_code == 200
    assert browser.post(reverse(f"admin:portal_{model}_change", args=[row.pk]), {}).status_code == 403
    assert browser.post(reverse(f"admin:portal_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert browser.get(reverse(f"admin:portal_{model}_add")).status_code == 403


def test_who_is_not_admitted_may_look_and_no_more(world: World) -> None:
    new = world.person("new", admitted=False)
    browser, api = world.browser(new), world.api(new)
    assert browser.get("/accounts/").status_code == 200
    for path in ("/team/", "/submit/", "/data/manifest.json"):
        assert browser.get(path).status_code == 403
    assert browser.post("/data/accept/").status_code == 403
    for method, path in (("GET", "keys"), ("GET", "submissions"), ("POST", "uploads")):
        content = {"filename": "x", "size": 1, "sha256": "0" * 64} if method == "POST" else None
        assert api(method, path, content).status_code == 403


def test_forms_from_other_sites_are_refused(world: World) -> None:
    from django.test import Client

    ada = world.person("ada", team="Ada")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    for path in ("/accounts/sign-out/", "/team/leave/", "/submit/", "/accounts/delete/"):
        assert browser.post(path).status_code == 403


def test_every_page_has_the_strict_policy(world: World, scene: Scene) -> None:
    answers = [world.browser().get(path) for path in ("/", "/boards/", "/data/", "/nothing", "/api/v1/competition")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_no_page_loads_anything_from_elsewhere_or_runs_inline() -> None:
    from importlib.resources import files

    folder = Path(str(files("striate.portal") / "templates"))
    for page in sorted(folder.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"""(src|href)=["']https?:""", text.replace('<a href="{{ licence', "")), page.name
        assert not re.search(r"""<script(?![^>]*src=)|\son\w+=|style=|javascript:""", text), page.name
