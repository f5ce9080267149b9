"""A browser walks through the portal, from signing up to the final board; every page on the way is held against `Visitor.look`."""

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlretrieve

import pytest

from tests.competition.examples import PASSPHRASE
from tests.fixtures.command import striate
from tests.portal.walk.stage import PASSWORD, Stage
from tests.portal.walk.visitor import DESKTOP, PHONE, RULES, Visitor

pytestmark = pytest.mark.slow
Visit = Callable[..., Visitor]


def sign_up(visitor: Visitor, name: str, *, by_keyboard: bool = False) -> None:
    visitor.open("/")
    visitor.follow("Sign up")
    visitor.look()
    if by_keyboard:
        visitor.reach_everything_by_keyboard()
    fields = {
        "User_name": name,
        "Your_name": name.title(),
        "E-mail_address": f"{name}@example.org",
        "Password": PASSWORD,
        "Password_confirmation": PASSWORD,
    }
    visitor.fill(**fields | {"Password_confirmation": "another"})
    visitor.press("Make the account")
    visitor.look()
    assert "didn’t match" in visitor.page.locator(".errorlist").inner_text(), "what is wrong is said at the field"
    visitor.fill(Password=PASSWORD, Password_confirmation=PASSWORD)
    visitor.press("Make the account")
    visitor.page.get_by_role("heading", name="Look into your mail").wait_for()
    visitor.look()


def sign_in(visitor: Visitor, name: str, password: str = PASSWORD) -> None:
    if "sign-in" not in visitor.page.url:
        visitor.open("/accounts/sign-in/")
    visitor.fill(User_name=name, Password=password)
    visitor.press("Sign in")
    visitor.page.wait_for_url("**/accounts/")
    visitor.look()


def verify(visitor: Visitor, site: Stage, name: str) -> None:
    visitor.page.goto(site.mailbox.link_to(f"{name}@example.org"))
    visitor.look()
    visitor.press("It is mine")
    assert "verified" in visitor.page.locator(".message").inner_text()
    visitor.look()
    sign_in(visitor, name)


def approve(organiser: Visitor, site: Stage, name: str) -> None:
    organiser.page.goto("/admin/")
    assert "sign-in" in organiser.page.url, "organisers sign in where everybody does"
    organiser.fill(User_name="admin", Password=site.password)
    organiser.press("Sign in")
    organiser.page.goto("/admin/portal/user/")
    row = organiser.page.locator("tr", has=organiser.page.get_by_text(f"{name}@example.org"))
    row.get_by_role("checkbox").check()
    organiser.page.get_by_label("Action:").select_option("approve")
    organiser.press("Run" if organiser.page.get_by_role("button", name="Run").count() else "Go")
    organiser.page.get_by_text(re.compile("1 account.* approved")).wait_for()
    assert not organiser.complaints, "the admin works under the policy"


def get_the_data(visitor: Visitor, site: Stage) -> None:
    visitor.open("/data/")
    visitor.press("Accept the terms")
    visitor.look()
    with visitor.page.expect_download() as waiting:
        visitor.follow("competition.toml")
    assert waiting.value.path().read_bytes() == (site.built.folder / "competition.toml").read_bytes()


def look_at_the_data(visitor: Visitor, site: Stage) -> None:
    """The recordings, drawn, and the versions."""
    visitor.open("/data/")
    visitor.follow("Look at the recordings")
    visitor.page.wait_for_url("**/recordings/")
    visitor.look()
    visitor.page.locator("tbody a").first.click()
    visitor.page.locator("#statistics-title").wait_for(timeout=60_000)  # the worker prepares it
    visitor.look()
    visitor.reach_everything_by_keyboard()
    visitor.open("/data/versions/")
    visitor.page.locator("main").get_by_role("link").first.click()
    visitor.page.wait_for_url("**/data/*/")
    visitor.look()
    visitor.open("/announcements/")


def make_a_team(visitor: Visitor, name: str) -> None:
    visitor.open("/team/")
    visitor.fill(Name_of_the_team=name)
    visitor.press("Make the team")
    visitor.page.get_by_role("heading", name=name, exact=True).wait_for()
    visitor.look()


def send(visitor: Visitor, file: Path, note: str) -> None:
    visitor.open("/submit/")
    visitor.field("File").set_input_files(file)
    visitor.fill(Note=note)
    visitor.press("Check it")
    visitor.page.get_by_role("heading", name="Submit this?").wait_for(timeout=60_000)
    visitor.look()
    visitor.press("Submit it")
    visitor.page.wait_for_url("**/submissions/*/")


def state(visitor: Visitor) -> Any:
    return visitor.page.locator("#life .state").first


@pytest.mark.parametrize(("size", "name"), [(DESKTOP, "ada"), (PHONE, "ben")], ids=["desktop", "phone"])
def test_from_signing_up_to_the_board(visit: Visit, site: Stage, size: tuple[int, int], name: str) -> None:
    from playwright.sync_api import expect

    visitor = visit(size)
    sign_up(visitor, name, by_keyboard=True)
    if size == DESKTOP:
        verify(visitor, site, name)
    else:
        sign_in(visitor, name)
        assert "not verified" in visitor.page.locator("main").inner_text()
        visitor.open("/team/", status=403)
        approve(visit(size), site, name)
        visitor.open("/accounts/")
    get_the_data(visitor, site)
    if size == DESKTOP:
        fetch_by_token(visitor, site)
    look_at_the_data(visitor, site)
    make_a_team(visitor, f"Team {name.title()}")
    visitor.open("/submit/")
    visitor.reach_everything_by_keyboard()

    visitor.page.evaluate(
        "window.hereSinceBefore = true; new MutationObserver(() => {"
        " if (document.querySelector('progress')?.parentElement.hidden === false) window.progressWasShown = true;"
        "}).observe(document.querySelector('progress').parentElement, {attributes: true})"
    )
    visitor.field("File").set_input_files(site.file(0.5, seed=len(name) + size[0]))
    visitor.press("Check it")
    visitor.page.get_by_role("heading", name="Submit this?").wait_for(timeout=60_000)
    assert visitor.page.evaluate("window.progressWasShown && window.hereSinceBefore"), "and no page was loaded anew"
    visitor.look()
    visitor.reach_everything_by_keyboard()
    visitor.press("Submit it")
    visitor.page.wait_for_url("**/submissions/*/")
    visitor.page.evaluate("window.hereSinceBefore = true")
    expect(state(visitor)).to_have_text("scored", timeout=60_000)
    assert visitor.page.evaluate("window.hereSinceBefore"), "the page followed by itself"
    assert visitor.page.get_by_text("single-trial correlation").count()
    visitor.look()

    board = visitor.page.locator("tbody tr", has_text=f"Team {name.title()}")
    for _ in range(40):  # the board is ranked a moment after the score
        visitor.page.goto("/boards/sensorium-image/")
        if board.count():
            break
        visitor.page.wait_for_timeout(250)
    expect(board).to_be_visible(timeout=60_000)
    visitor.look()
    visitor.reach_everything_by_keyboard()
    visitor.open("/boards/")
    visitor.open("/team/")
    visitor.open("/")
    assert visitor.page.locator("[aria-current=step]", has_text="live").count() == 1
    assert re.search(r"\d [A-Z][a-z]+ 20\d\d, \d\d:\d\d", visitor.page.locator("time").first.inner_text()), (
        "as in Britain"
    )

    write_a_card(visitor)
    visitor.open("/submit/")
    visitor.field("File").set_input_files(site.file(0.4, seed=len(name) + size[0]))
    visitor.press("Check it")
    visitor.page.get_by_text("used up what it may submit").wait_for(timeout=60_000)
    assert visitor.page.get_by_role("button", name="Submit it").count() == 0
    visitor.look()
    visitor.press("Forget it")
    visitor.page.wait_for_url("**/submit/")
    broken = site.scratch / "broken.parquet"
    broken.write_bytes(b"no parquet at all")
    visitor.field("File").set_input_files(broken)
    visitor.press("Check it")
    visitor.page.get_by_text("broken.parquet is not a Parquet file").wait_for(timeout=60_000)
    visitor.look()
    visitor.open("/nothing", status=404)
    visitor.open("/boards/sensorium-image/final/", status=404)
    visitor.open("/accounts/delete/")


def write_a_card(visitor: Visitor) -> None:
    """From the team's page with its picture to the submission, its card, and the entry that everybody can read."""
    visitor.open("/team/")
    visitor.page.locator("svg.progress .point").first.wait_for()
    visitor.page.get_by_text("The same as a table").click()
    visitor.look()
    visitor.page.locator("tbody th a").first.click()
    visitor.page.wait_for_url("**/submissions/*/")
    visitor.fill(Note="a note of today")
    visitor.press("Keep the note")
    visitor.look()
    visitor.follow("Write the method card")
    visitor.look()
    visitor.fill(Summary="A *linear* model.")
    visitor.press("Keep the card")
    visitor.page.wait_for_url("**/entries/*/")
    assert visitor.page.locator("em", has_text="linear").count() == 1
    visitor.look()


def fetch_by_token(visitor: Visitor, site: Stage) -> None:
    visitor.open("/accounts/")
    visitor.fill(What_it_is_for="my laptop")
    visitor.press("Make a token")
    visitor.look()
    token = site.scratch / "token"
    token.write_text(visitor.page.locator(".secret").inner_text())
    own = {"STRIATE_SETTINGS": str(site.scratch / "settings"), "STRIATE_CACHE": str(site.scratch / "cache")}
    manifest = f"{site.address}data/manifest.json"
    added = striate("catalog", "add", manifest, "--token-file", token, **own)
    assert added.status == 0, added.err
    name = site.built.rules.name
    done = striate("fetch", name, "competition.toml", "--to", site.scratch / "data", "--accept-licence", **own)
    assert done.status == 0, done.err
    assert list((site.scratch / "data").rglob("competition.toml"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_an_organiser_sees(visit: Visit, site: Stage, size: tuple[int, int]) -> None:
    organiser = visit(size)
    sign_in(organiser, "admin", site.password)
    for path in ("/organise/", "/data/", "/data/1/describe/", "/data/1/doi/", "/team/", "/submit/"):
        organiser.open(path)
    organiser.open("/organise/")
    organiser.reach_everything_by_keyboard()


def test_the_tables_of_organisers_are_accessible(visit: Visit, site: Stage) -> None:
    organiser = visit()
    sign_in(organiser, "admin", site.password)
    made = site.run(
        "from striate.portal.models import Announcement, Membership, Team, User\n"
        "team = Team.objects.create(name='Team Admin')\n"
        "Membership.objects.create(user=User.objects.get(username='admin'), team=team)\n"
        "print(team.pk, Announcement.objects.create(title='Disks', text='New ones.').pk)"
    )
    team, announcement = made.split()
    organiser.page.goto("/admin/")
    listed = organiser.page.locator("#content a").evaluate_all("found => found.map(a => new URL(a.href).pathname)")
    pages = {path for path in listed if path.startswith("/admin/")}
    assert {"/admin/portal/maintenancewindow/add/", "/admin/portal/auditentry/"} <= pages
    pages |= {f"/admin/portal/announcement/{announcement}/{what}/" for what in ("change", "delete", "history")}
    pages |= {f"/admin/portal/team/{team}/change/", "/admin/portal/user/1/change/"}
    try:
        for path in sorted(pages):
            organiser.page.goto(path)
            assert not organiser.faults(RULES[:4]), path  # Django's own heads of tables are not of the best practice
    finally:
        site.run(
            f"from striate.portal.models import Announcement, Team\nAnnouncement.objects.filter(pk={announcement}).delete()\n"
            f"Team.objects.filter(pk={team}).delete()"
        )


def test_everything_needed_works_without_javascript(visit: Visit, site: Stage) -> None:
    visitor = visit(javascript=False)
    sign_up(visitor, "cleo")
    verify(visitor, site, "cleo")
    get_the_data(visitor, site)
    make_a_team(visitor, "Team Cleo")
    send(visitor, site.file(0.3, seed=3), "plain")
    for _ in range(100):
        if state(visitor).inner_text() == "scored":
            break
        visitor.page.wait_for_timeout(250)
        visitor.page.reload()
    assert state(visitor).inner_text() == "scored"
    visitor.open("/boards/sensorium-image/")


def test_maintenance_is_announced_and_refuses_writes_with_the_time(visit: Visit, site: Stage) -> None:
    window = (
        "MaintenanceWindow.objects.create(starts=now + timedelta({}), ends=now + timedelta({}), message='A new disk.')"
    )
    begin = "from datetime import timedelta\nfrom django.utils import timezone\nfrom striate.portal.models import MaintenanceWindow\nnow = timezone.now()\n"
    ends = begin + "MaintenanceWindow.objects.all().delete()"
    visitor = visit(PHONE)
    try:
        site.run(begin + window.format(1, 2))
        visitor.open("/")
        banner = visitor.page.locator(".banner")
        assert "planned" in banner.inner_text()
        assert "UTC" not in banner.inner_text(), "times are the reader's"
        visitor.press("Dismiss")
        assert banner.count() == 0
        visitor.open("/boards/")
        assert banner.count() == 0, "and it stays so"
        visitor.open("/accounts/sign-up/")
        site.run(begin + window.format(-1, 0.01))
        visitor.fill(User_name="dai")
        with visitor.page.expect_response("**/sign-up/") as waiting:
            visitor.page.locator("form.filled").evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
        assert waiting.value.status == 503
        assert 1 <= int(waiting.value.headers["retry-after"]) <= 900
        visitor.page.get_by_role("heading", name="Under maintenance").wait_for()
        visitor.look()
    finally:
        site.run(ends)


def test_the_longest_names_widen_no_page(visit: Visit, site: Stage, tmp_path: Path) -> None:
    name, token = "w" * 150, tmp_path / "token"
    made = striate("serve", "account", site.built.folder, name, "--email", "w@example.org", "--team", "W" * 60,
                   "--token-file", token, "--data", site.data)  # fmt: skip
    assert made.status == 0, made.err
    file = tmp_path / f"{'x' * 190}.parquet"
    shutil.copyfile(site.file(0.3, seed=11), file)
    sent = striate("submit", file, "--to", site.address, "--token-file", token,
                   STRIATE_SETTINGS=str(tmp_path / "settings"))  # fmt: skip
    assert sent.status == 0, sent.err
    visitor = visit(PHONE)
    sign_in(visitor, name, made.out.split("once: ")[1].split()[0])
    visitor.open("/team/")
    visitor.look()
    visitor.page.get_by_role("link", name="x" * 190).first.click()
    visitor.look()
    visitor.open("/boards/sensorium-image/")
    visitor.look()


def test_the_final_board_is_there_once_the_organiser_has_closed_elsewhere(
    visit: Visit, site: Stage, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    made = striate("serve", "account", site.built.folder, "eve", "--email", "eve@example.org", "--team", "Team Eve",
                   "--token-file", token, "--data", site.data)  # fmt: skip
    assert made.status == 0, made.err
    sent = striate("submit", site.file(0.6, seed=9), "--to", site.address, "--token-file", token,
                   STRIATE_SETTINGS=str(tmp_path / "settings"))  # fmt: skip
    assert sent.status == 0, sent.err
    visitor = visit(DESKTOP)
    visitor.open("/boards/sensorium-image/final/", status=404)

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(site.built.folder, elsewhere / "public")
    shutil.copytree(site.data / "submissions", elsewhere / "store")
    urlretrieve(f"{site.address}receipts.jsonl", elsewhere / "public" / "receipts.jsonl")
    later = site.built.rules.closes + timedelta(days=1)
    closed = striate(
        "competition", "close", elsewhere / "public", "--vault", site.built.vault, "--store", elsewhere / "store",
        "--out", elsewhere / "results", "--at", later.isoformat(), STRIATE_PASSPHRASE=PASSPHRASE,
    )  # fmt: skip
    assert closed.status == 0, closed.err
    site.run(
        "from datetime import datetime\nfrom pathlib import Path\nfrom striate.portal.boards.publish import publish\n"
        f"publish(Path({str(elsewhere / 'results')!r}), at=datetime.fromisoformat({later.isoformat()!r}))"
    )
    for window in (visitor, visit(PHONE)):
        window.open("/boards/sensorium-image/")
        window.follow("The final board")
        window.page.wait_for_url("**/final/")
        window.look()
        assert window.page.get_by_role("row", name=re.compile("Team Eve")).count() == 1
        assert "won" in window.page.locator("main").inner_text()
