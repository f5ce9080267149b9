"""Addresses that nobody's browser makes, with numbers and dates that no database has: no fault of the portal."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.portal.world import World

DATES = ("99999-01-01", "0000-01-01 00:00:00+00:00", "9999-12-31 23:59:59-12:00", "2020-13-45", "\0")
NUMBERS = (0, -1, 99_999, 2**31, 2**63, -(2**63) - 1, 10**30, "nan", "1e400", "x", "\0")
FEW = (0, 99_999, 10**30, "x")
LOOKUPS = {
    "Date": (
        *((lookup, value) for lookup in ("exact", "gte", "date", "in") for value in DATES[:3]),
        *((lookup, value) for lookup in ("year", "year__gte", "iso_year", "week_day") for value in FEW),
    ),
    "Integer": tuple((lookup, value) for lookup in ("exact", "gt", "lte", "in", "contains") for value in FEW),
    "Auto": tuple((lookup, value) for lookup in ("exact", "gt", "in") for value in FEW),
    "Float": tuple((lookup, value) for lookup in ("exact", "gt") for value in FEW),
    "": (
        ("exact", "\0"),
        ("exact", 10**30),
        ("in", "1,\0"),
        ("gt", "x"),
        ("regex", "("),
        ("isnull", "x"),
        ("nothing", "1"),
    ),
}
LIST = [(name, value) for name in ("p", "o", "q", "all", "_facets", "nothing") for value in (*NUMBERS, "a" * 3000)]


def client(user: Any) -> Any:
    from django.test import Client

    made = Client(raise_request_exception=False)
    made.force_login(user)
    return made


@pytest.fixture
def organiser(world: World) -> Any:
    """Who sees all lists, which have rows."""
    ada = world.person("ada", team="Ada")
    world.scored(ada, world.file(0.5))
    return client(world.person("olga", staff=True))


def answers(browser: Any, addresses: list[str]) -> list[str]:
    """Addresses that are answered with a fault."""
    return [f"{each} {status}" for each in addresses if (status := browser.get(each).status_code) >= 500]


@pytest.mark.slow
def test_no_filter_of_a_list_for_organisers_is_a_fault(organiser: Any) -> None:
    from django.contrib import admin
    from django.urls import reverse

    failed = []
    for model in admin.site._registry:
        base = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for field in model._meta.concrete_fields:
            kind = next(each for each in LOOKUPS if each in type(field).__name__)
            asked = [f"{base}?{field.name}__{lookup}={quote(str(value))}" for lookup, value in LOOKUPS[kind]]
            failed += answers(organiser, asked)
    assert not failed, f"{len(failed)}: {failed[:20]}"


@pytest.mark.slow
def test_no_page_of_a_list_for_organisers_is_a_fault(organiser: Any) -> None:
    from django.urls import reverse

    for name in ("auditentry", "submission"):
        base = reverse(f"admin:portal_{name}_changelist")
        assert not answers(organiser, [f"{base}?{name}={quote(str(value))}" for name, value in LIST])
        numbers = [quote(str(value)) for value in NUMBERS]
        assert not answers(
            organiser, [f"{base}{each}/{page}/" for each in numbers for page in ("change", "history", "delete")]
        )
    filtered = reverse("admin:portal_auditentry_changelist")
    for year in (0, 99_999):
        answer = organiser.get(f"{filtered}?at__year={year}")
        assert answer.status_code == 302
        assert answer.headers["Location"].endswith("?e=1")


PAGES = (
    "/boards/sensorium-image/?{}",
    "/boards/sensorium-image.json?{}",
    "/boards/sensorium-image.csv?{}",
    "/data/1/?{}",
    "/data/1/changes/?{}",
    "/data/1/archive.tar?{}",
    "/entries/1/?{}",
    "/announcements/?{}",
    "/api/v1/submissions?{}",
    "/api/v1/data/versions?{}",
)
PARAMETERS = ("page", "version", "since", "folder", "band", "sort", "team", "limit", "offset", "recording", "file")
PATHS = (
    "/entries/{}/",
    "/data/{}/",
    "/data/{}/changes/",
    "/accounts/tokens/{}/revoke/",
    "/boards/{}/",
    "/submissions/{}/",
)


@pytest.mark.slow
def test_no_number_in_an_address_of_the_site_is_a_fault(world: World) -> None:
    ada = world.person("ada", team="Ada")
    world.scored(ada, world.file(0.5))
    browser = client(ada)
    numbers = [quote(str(value)) for value in NUMBERS]
    asked = [page.format(f"{name}={each}") for page in PAGES for name in PARAMETERS for each in numbers]
    asked += [path.format(each) for path in PATHS for each in numbers]
    assert not answers(browser, asked)
    failed = [path for path in PATHS if browser.post(path.format(2**63)).status_code >= 500]
    assert not failed
    api, headers = client(ada), {"Authorization": f"Bearer {world.token(ada)}"}
    begun = api.post(
        "/api/v1/uploads", {"filename": "x", "size": 9, "sha256": "0" * 64}, "application/json", headers=headers
    ).json()
    for each in numbers:
        answer = api.put(f"/api/v1/uploads/{begun['id']}?offset={each}", b"x", headers=headers)
        assert answer.status_code < 500, each
    for size in (2**63, 10**30, -1, 1.5, "9"):
        about = {"filename": "x", "size": size, "sha256": "0" * 64}
        assert api.post("/api/v1/uploads", about, "application/json", headers=headers).status_code < 500, size
