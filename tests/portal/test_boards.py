"""Boards: ranked as the library ranks, shown rounded, in three forms that agree; final ones only once they are published."""

import csv
import io
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.competition import Entrant, LiveTruth, Vault, close, rank
from striate.competition.tables import Ranking
from striate.metrics.evaluate import METRICS as OF_BENCHMARK
from striate.metrics.evaluate import NORMALISED_METRICS
from striate.portal.scoring.measure import measure
from striate.submissions import Submission
from striate.submissions.alignment import align
from tests.competition.examples import PASSPHRASE
from tests.portal.world import World

METRICS = (*OF_BENCHMARK, *NORMALISED_METRICS)
SKILLS = {"Ada": 0.5, "Ben": 0.3, "Cleo": 0.31, "Dai": 0.7, "Eve": 0.3}


@pytest.fixture
def board(world: World) -> list[dict[str, Any]]:
    """Rows of a board with five teams, two of them with the same score, and a baseline."""
    for name, skill in SKILLS.items():
        world.send(world.person(name.lower(), team=name), world.file(skill))
    olga = world.person("olga", staff=True)
    world.send(olga, world.file(0.1), team=None, baseline="LN baseline")
    world.work()
    found: list[dict[str, Any]] = world.browser().get("/boards/sensorium-image.json").json()["rows"]
    return found


def test_the_board_is_that_of_the_library(world: World, board: list[dict[str, Any]]) -> None:
    truth = world.live.truths["sensorium"]

    def load(skill: float) -> Any:
        native = Submission.read(world.file(skill))
        return lambda: align(native, truth, "test").reorder(native.predictions)

    rules = world.built.rules
    entrants = [
        Entrant(row["team"], load(SKILLS.get(row["team"], 0.1)), rules.starts, row["receipt"], row["baseline"])
        for row in board
    ]
    wanted = rank(entrants, truth, "test", "correlation_to_average", rules.ranking)
    assert [(r["team"], r["rank"], r["band"]) for r in board] == [(r.team, r.rank, r.band) for r in wanted.rows]
    for shown, row in zip(board, wanted.rows, strict=True):
        value = shown["metrics"]["correlation_to_average"]
        assert row.score is not None
        assert row.interval is not None
        assert value["mean"] == round(row.score, 4)
        assert (value["low"], value["high"]) == (round(row.interval.low, 4), round(row.interval.high, 4))


def test_equal_scores_share_a_rank_and_baselines_have_none(board: list[dict[str, Any]]) -> None:
    ranks = {row["team"]: row["rank"] for row in board}
    assert ranks["Ben"] == ranks["Eve"]
    assert sorted(rank for rank in ranks.values() if rank) == [1, 2, 3, 4, 4]
    assert ranks["LN baseline"] is None


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_laws_of_ranking(rows: list[tuple[int, bool, bool]], random: Any) -> None:
    from striate.portal.boards.ranking import Entry, ranked

    at = datetime(2026, 1, 1, tzinfo=UTC)
    noise = np.random.default_rng(0).normal(0, 0.1, 200)
    entries = [
        Entry(
            f"team {n}",
            baseline,
            n,
            at,
            None if undefined else value,
            np.concatenate([[value], value + noise * (n + 1)]),
        )
        for n, (value, baseline, undefined) in enumerate(rows)
    ]
    first = ranked(entries, "feve", Ranking())
    random.shuffle(entries)
    assert [e.name for e in ranked(entries, "feve", Ranking())] == [e.name for e in first], "whatever the order"
    with_rank = [e for e in first if e.rank is not None]
    assert all(e.rank is None and e.band is None for e in first if e.baseline or e.value is None)
    assert all(e.band is not None for e in with_rank)
    for e in with_rank:
        assert e.rank == 1 + sum((other.value or 0) > (e.value or 0) for other in with_rank)
    assert [e.value is None for e in first] == sorted(e.value is None for e in first), "undefined ones come last"


@pytest.mark.slow
def test_one_row_a_team_the_last_or_the_chosen(world: World) -> None:
    ada = world.person("ada", team="Ada")
    first, _ = world.scored(ada, world.file(0.5)), world.scored(ada, world.file(0.3))

    def receipts() -> list[tuple[int, int]]:
        rows = world.browser().get("/boards/sensorium-image.json").json()["rows"]
        return [(row["receipt"], row["submissions"]) for row in rows]

    assert receipts() == [(2, 2)]
    world.browser(ada).post(f"/submissions/{first.pk}/choose/")
    world.work()
    assert receipts() == [(1, 2)]
    from striate.portal.models import Link

    for _ in range(3):  # the same choice is no change
        world.browser(ada).post(f"/submissions/{first.pk}/choose/")
    assert Link.objects.filter(kind="choice").count() == 1
    assert "chose to count" in world.browser(ada).get(f"/submissions/{first.pk}/").content.decode()


@pytest.mark.slow
def test_a_team_chooses_a_limited_number_of_times_a_day(world: World) -> None:
    from striate.competition.submit import MOST_CHOICES
    from striate.errors import InputError
    from striate.portal.models import Link
    from striate.portal.receiving.choosing import choose

    ada = world.person("ada", team="Ada")
    sent = world.scored(ada, world.file(0.5)), world.scored(ada, world.file(0.3))
    for number in range(MOST_CHOICES):
        choose(sent[number % 2])
    with pytest.raises(InputError, match="choose again later"):
        choose(sent[0])
    assert Link.objects.filter(kind="choice").count() == MOST_CHOICES


@pytest.mark.slow
def test_page_csv_and_json_have_the_same_rows(world: World, board: list[dict[str, Any]]) -> None:
    for query in (
        "",
        "?sort=team",
        "?sort=feve",
        "?sort=date",
        "?team=e",
        "?sort=nonsense",
        "?baselines=off",
        "?band=1",
    ):
        rows = world.browser().get(f"/boards/sensorium-image.json{query}").json()["rows"]
        page = world.browser().get(f"/boards/sensorium-image/{query}").content.decode()
        text = world.browser().get(f"/boards/sensorium-image.csv{query}").content.decode()
        numbers = [row["receipt"] for row in rows]
        assert [int(n) for n in re.findall(r'id="receipt-(\d+)"', page)] == numbers
        assert [int(row["receipt"]) for row in csv.DictReader(io.StringIO(text))] == numbers
        for row in rows:
            for values in row["metrics"].values():
                few = values["mean"] is None and "too few images" in values["reason"]
                assert ("too few images" if few else f"{values['mean']:.4f}") in page


def test_no_page_tells_more_than_four_decimals_or_single_neurons(world: World, board: list[dict[str, Any]]) -> None:
    from striate.portal.models import Score, Submission

    sent = Submission.objects.get(team__name="Ada")
    browser, api = world.browser(sent.by), world.api(sent.by)
    texts = [
        browser.get(path).content.decode()
        for path in (
            "/boards/sensorium-image/",
            "/boards/sensorium-image.json",
            "/boards/sensorium-image.csv",
            f"/submissions/{sent.pk}/",
            "/team/",
            "/accounts/export/",
        )
    ] + [api("GET", f"submissions/{sent.pk}").content.decode(), api("GET", "submissions").content.decode()]
    exact = [score.value for score in Score.objects.all()]
    for text in texts:
        # a moment's seconds may end as a score begins
        assert not [
            value for value in exact if re.search(rf"(?<!\d){re.escape(f'{value:.5f}')}", text) or repr(value) in text
        ]
        assert not re.search(r"\b[01]\.\d{5}", text)


@pytest.mark.usefixtures("portal")
def test_cells_of_the_csv_are_no_formulas() -> None:
    from striate.portal.boards.pages import plain_cell

    for sign in "=+-@＝＋－＠﹢﹣﹦﹫":
        for before in ("", " ", "\u200b", "\ufeff\xa0"):
            assert plain_cell(f"{before}{sign}A1") == f"'{before}{sign}A1"
        for end in ";\t\r\n":  # where a semicolon ends a cell, a quote within the cell protects nothing
            assert plain_cell(f"a{end} {sign}A1;b") == f"a{end}' {sign}A1;b"
    for text in ("Team -1", "a+b", "x@example.org", "1, -2", "sensorium+", "a;b", ""):
        assert plain_cell(text) == text


def test_a_board_without_scores_says_so(world: World) -> None:
    assert (
        "Nothing has been scored yet"
        in world.browser().get("/boards/sensoriumplus-image-plus-behaviour/").content.decode()
    )
    assert world.browser().get("/boards/nonsense/").status_code == 404


@pytest.mark.slow
def test_the_final_board_is_that_of_the_results_and_nobodys_before(
    world: World, board: list[dict[str, Any]], tmp_path: Path
) -> None:
    from striate.errors import InputError
    from striate.portal.boards.publish import publish
    from striate.portal.models import User

    closes = world.built.rules.closes
    path = "/boards/sensorium-image/final/"
    for user in (None, *User.objects.all()):
        assert world.browser(user).get(path).status_code == 404
    shutil.copytree(world.place.competition, tmp_path / "public")
    (tmp_path / "public" / "receipts.jsonl").write_bytes(
        b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    )
    store = world.submissions(tmp_path / "store")
    vault = Vault.read(world.built.vault, PASSPHRASE)
    results = close(tmp_path / "public", vault, store, tmp_path / "results", at=closes + timedelta(days=1))
    with pytest.raises(InputError, match="taken until"):
        publish(tmp_path / "results", at=closes - timedelta(days=1))
    assert world.browser().get(path).status_code == 404
    publish(tmp_path / "results", at=closes + timedelta(days=1))
    page = world.browser().get(path).content.decode()
    wanted = next(each for each in results.boards if each.track == "sensorium")
    for row in wanted.rows:
        assert row.team in page
        assert f"{row.score:.4f}" in page
    for page in ("/", "/boards/", "/boards/sensorium-image/"):
        assert f'<a href="{path}">The final board</a>' in world.browser().get(page).content.decode()


def close_and_publish(world: World, folder: Path) -> Any:
    from striate.portal.boards.publish import publish

    closes = world.built.rules.closes
    shutil.copytree(world.place.competition, folder / "public")
    lines = b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    (folder / "public" / "receipts.jsonl").write_bytes(lines)
    world.submissions(folder / "store")
    vault = Vault.read(world.built.vault, PASSPHRASE)
    close(folder / "public", vault, folder / "store", folder / "results", at=closes + timedelta(days=1))
    return publish(folder / "results", at=closes + timedelta(days=1))


@pytest.mark.slow
def test_areas_and_depths_are_shown_once_results_are_published_and_never_of_the_live_test(
    world: World, board: list[dict[str, Any]], tmp_path: Path
) -> None:
    from striate.portal.models import Submission

    sent = Submission.objects.get(team__name="Ada")
    browser, api = world.browser(sent.by), world.api(sent.by)
    number = next(row["receipt"] for row in board if row["team"] == "Ada")
    entry = f"/entries/{number}/"
    private = [f"/submissions/{sent.pk}/", "/team/", "/accounts/export/"]
    paths = [entry, "/boards/", "/boards/sensorium-image/", "/boards/sensorium-image.json", *private]

    def said() -> list[str]:
        asked = [browser.get(path) for path in paths]
        asked += [api("GET", f"submissions/{sent.pk}"), api("GET", "competition")]
        return [answer.content.decode() for answer in asked]

    for text in said():
        assert not re.search(r"\bV1\b|µm|Final test|\bdepth \d|per_neuron", text)
    results = close_and_publish(world, tmp_path)
    row = next(each for each in results.boards[0].rows if each.team == "Ada")
    page = browser.get(entry).content.decode()
    assert {part.kind for part in row.parts} == {"area", "depth"}
    for part in row.parts:
        assert part.name in page
        for value in part.scores.values():
            assert "–" if value is None else f"{value:.4f}" in page
    told = world.browser().get("/boards/sensorium-image/final.json").json()
    assert [(r["team"], r["rank"], r["band"]) for r in told["rows"]] == [
        (r.team, r.rank, r.band) for r in results.boards[0].rows
    ]
    assert told["chain"] == results.chain
    text = world.browser().get("/boards/sensorium-image/final.csv").content.decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [[line[name] for name in METRICS] for line in lines] == [
        ["" if r.metrics[name].mean is None else repr(r.metrics[name].mean) for name in METRICS]
        for r in results.boards[0].rows
    ]
    final = world.browser().get("/boards/sensorium-image/final/").content.decode()
    assert results.chain in final
    assert f'href="{entry}"' in final
    for live in (f"/submissions/{sent.pk}/", "/boards/sensorium-image/", "/boards/sensorium-image.json"):
        assert not re.search(r"\bV1\b|µm", browser.get(live).content.decode()), "the live test has no parts even then"


@pytest.mark.slow
def test_until_it_is_published_the_final_board_is_like_an_address_that_never_was(
    world: World, board: list[dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from striate.portal.models import User

    # A competition that is closed, but not published: the bundle lies beside, where an organiser may have put it.
    closes = world.built.rules.closes
    shutil.copytree(world.place.competition, tmp_path / "public")
    lines = b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    (tmp_path / "public" / "receipts.jsonl").write_bytes(lines)
    world.submissions(tmp_path / "store")
    texts = (
        "/boards/sensorium-image/",
        "/boards/",
        "/entries/1/",
        "/",
        "/boards/sensorium-image.json",
        "/api/v1/competition",
    )
    before = [plain(world.browser().get(path).content.decode()) for path in texts]
    vault = Vault.read(world.built.vault, PASSPHRASE)
    close(
        tmp_path / "public",
        vault,
        tmp_path / "store",
        world.place.data / "results-aside",
        at=closes + timedelta(days=1),
    )
    try:
        caplog.clear()
        for user in (None, *User.objects.all()):
            asked = {}
            for end in ("final/", "final.json", "final.csv", "never/", "never.json"):
                browser = world.browser(user)
                with CaptureQueriesContext(connection) as queries:
                    answer = browser.get(f"/boards/sensorium-image/{end}")
                looks = sum('"portal_publication"' in each["sql"] for each in queries)  # whether anything is published
                asked[end] = answer.status_code, plain(answer.content.decode()), len(queries) - looks
                assert looks == (0 if "never" in end else 1)
            assert set(asked.values()) == {asked["never/"]}, (
                "status, page and work are those of an address that never was"
            )
            assert asked["never/"][0] == 404
        assert [plain(world.browser().get(path).content.decode()) for path in texts] == before
        assert not [
            record
            for record in caplog.records
            if record.name.startswith("striate") and record.name != "striate.portal.requests"
        ]
    finally:
        shutil.rmtree(world.place.data / "results-aside")


def plain(page: str) -> str:
    """A page without what differs from one answer to the next."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)


def test_filters_stand_in_the_address(world: World, board: list[dict[str, Any]]) -> None:
    def shown(query: str) -> list[str]:
        return [row["team"] for row in world.browser().get(f"/boards/sensorium-image.json?{query}").json()["rows"]]

    everyone = {row["team"] for row in board}
    assert set(shown("baselines=off")) == everyone - {"LN baseline"}
    for band in {row["band"] for row in board} - {None}:
        assert shown(f"band={band}") == [row["team"] for row in board if row["band"] == band]
    assert set(shown("band=nonsense")) == set(shown("band=-1")) == everyone
    page = world.browser().get("/boards/sensorium-image/?baselines=off&band=1&team=a&sort=feve").content.decode()
    assert '<option value="off" selected>' in page
    assert 'name="band" value="1"' in page
    assert '<option value="feve" selected>' in page


def test_the_ceiling_has_a_row_and_each_row_a_bar(world: World, board: list[dict[str, Any]]) -> None:
    page = world.browser().get("/boards/sensorium-image/").content.decode()
    ceilings = world.browser().get("/boards/sensorium-image.json").json()["ceilings"]
    row = re.search(r'<tr class="ceiling">.*?</tr>', page)
    assert row
    assert f"{ceilings['single_trial_ceiling']:.4f}" in row[0]
    assert f"{ceilings['cc_max']:.4f}" in row[0]
    assert f"{ceilings['jackknife_oracle']:.4f}" not in row[0], "the oracle predictor is no ceiling"
    assert f"single-trial correlation of {ceilings['jackknife_oracle']:.4f}" in page
    assert "see behaviour" not in page
    assert page.count('<svg class="interval"') == len(board) + 1
    places = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', page)]
    assert places[1:] == sorted(places[1:], reverse=True), "bars follow the rank"
    assert 'class="ceiling"' not in world.browser().get("/boards/sensorium-image/?baselines=off").content.decode()


@pytest.mark.slow
def test_a_thousand_rows_are_quick(world: World, board: list[dict[str, Any]]) -> None:
    import time

    from striate.portal.models import Standing

    rows = [{**board[0], "team": f"Team {n}", "receipt": n, "rank": n, "band": 1 + n // 10} for n in range(1, 1001)]
    Standing.objects.filter(track="sensorium").update(rows=rows)
    browser, path, times = world.browser(), "/boards/sensorium-image/?sort=team", []
    for _ in range(6):
        begun = time.perf_counter()
        assert browser.get(path).content.count(b'<tr id="receipt-') == 1000
        times.append(time.perf_counter() - begun)
    print(f"first {1e3 * times[0]:.0f} ms, then {1e3 * min(times[1:]):.1f} ms")
    assert min(times[1:]) < 0.2, "generous here; the benchmark holds it to less"


def test_results_of_another_chain_are_not_published(world: World, tmp_path: Path) -> None:
    from striate.competition import Results
    from striate.competition.results import FILE
    from striate.errors import InputError
    from striate.portal.boards.publish import publish
    from striate.portal.competition import competition

    closes = world.built.rules.closes
    rules = competition().rules
    for chain, commitment in (("0" * 64, competition().anchor), (competition().anchor, "0" * 64)):
        made = Results(
            name="x", title="x", scorer="x", commitment=commitment, chain=chain, ranking=rules.ranking, boards=[]
        )
        (tmp_path / FILE).write_text(made.model_dump_json())
        with pytest.raises(InputError, match="another"):
            publish(tmp_path, at=closes + timedelta(days=1))


@pytest.mark.slow
def test_the_worker_knows_the_truth_and_the_pages_do_not(world: World) -> None:
    """No module that answers requests imports what opens the live truth but the jobs, which are handed it."""
    import ast

    import striate.portal

    folder = Path(striate.portal.__file__).parent
    opens = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "read"
        and getattr(node.value, "id", "") == LiveTruth.__name__
    }
    assert opens == {"running/serve.py"}


def test_a_score_of_too_few_images_ranks_nobody(world: World) -> None:
    """Rules that rank by FEVE with so few images are not built any more; a board that has them gives no rank."""
    rules = world.live.rules
    tracks = tuple(track.model_copy(update={"metric": "feve"}) for track in rules.tracks)
    live = replace(world.live, rules=rules.model_copy(update={"tracks": tracks}))
    native = Submission.read(world.file(0.1))
    found = measure(native.predictions, native, live, "sensorium")
    assert found.value is None
    assert str(found.metrics["feve"]["reason"]).startswith("too few images: 6")


def test_a_board_says_why_rows_have_no_rank(world: World, board: list[dict[str, Any]]) -> None:
    from striate.portal.models import Standing

    why = "has no rank: with these images"
    assert why not in world.browser().get("/boards/sensorium-image/").content.decode()
    standing = Standing.objects.get(track="sensorium", protocol="image")
    few = {"mean": None, "low": None, "high": None, "reason": "too few images: 6 …"}
    standing.rows = [
        {**row, "rank": None, "band": None, "metrics": {**row["metrics"], "correlation_to_average": few}}
        for row in board
    ]
    standing.made_at += timedelta(seconds=1)  # what was drawn of it before counts no longer
    standing.save()
    page = world.browser().get("/boards/sensorium-image/").content.decode()
    assert why in page
    assert page.count(">too few images<") >= len(board)
    assert world.browser().get("/boards/").status_code == 200


@pytest.mark.slow
def test_the_final_board_shows_what_the_live_board_shows(
    world: World, board: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name, skill in (("fay", 0.4), ("gil", 0.6)):
        file = world.file(skill, "sensorium+")
        native = Submission.read(file)
        replace(native, protocol="image + behaviour").write(tmp_path / f"{name}.parquet")
        world.send(world.person(name, team=name.title()), tmp_path / f"{name}.parquet")
    world.work()
    results = close_and_publish(world, tmp_path)
    found = {each.name: each for each in results.boards}
    pages = {}
    for slug in ("sensorium-image", "sensoriumplus-image-plus-behaviour"):
        live = world.browser().get(f"/boards/{slug}/").content.decode()
        page = pages[slug] = world.browser().get(f"/boards/{slug}/final/").content.decode()
        for text in (live, page):
            assert "ceiling (image alone)" in text
            assert "the highest score that a model of the image alone can expect" in text
            assert ("which can lift them above the ceiling" in text) == ("behaviour" in slug)
            assert "oracle predictor" in text
            assert "normalised correlation" in text
        for value in (found[slug].ceilings["single_trial_ceiling"], found[slug].ceilings["cc_max"]):
            assert f"{value:.4f}" in page
        for row in found[slug].rows:
            for said in row.metrics.values():
                assert ("too few images" if said.mean is None else f"{said.mean:.4f}") in page
    few = [row for each in found.values() for row in each.rows if row.metrics["feve"].mean is None]
    assert few
    for row in few:
        entry = world.browser().get(f"/entries/{row.receipt}/").content.decode()
        assert '<td class="number">too few images</td>' in entry
    told = world.browser().get("/boards/sensorium-image/final.json").json()
    assert told["ceilings"] == found["sensorium-image"].ceilings


def test_names_of_teams_are_text_on_every_board() -> None:
    """No form lets such a name pass; the boards would show it harmlessly all the same."""
    from striate.portal.boards.table import table_rows

    value = {"mean": None, "low": None, "high": None, "reason": '"><script>'}
    row = {"rank": 1, "band": 1, "team": "<script>alert(1)</script>", "baseline": False, "receipt": 1, "submissions": 1}
    text = table_rows([{**row, "date": '"><script>', "metrics": {"feve": value}}], ["feve"], bands=True)
    assert "<script" not in text
