"""Files that were made to harm: each is refused with a sentence, within limits, and the next sound one is scored."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.portal import bombs
from tests.portal.bombs.campaign import Outcome, campaign
from tests.portal.world import World

MEMORY = 2.2e9  # bytes: what a child of a small competition may have
SECONDS = 120.0

QUICK = ("many_rows", "deep_json", "lying_pages", "changed_footer", "odd_numbers", "links")


def peak() -> float:
    """The most memory that a child has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def hold(outcome: Outcome) -> None:
    assert not outcome.failed
    assert not outcome.unclear
    assert outcome.longest < SECONDS
    assert peak() < MEMORY


@pytest.mark.slow
@pytest.mark.usefixtures("real_children")
@pytest.mark.parametrize("kind", QUICK)
def test_a_bomb_is_refused_with_a_sentence(portal: World, kind: str) -> None:
    made = {**bombs.BOMBS, **bombs.CSV_BOMBS}[kind]
    hold(campaign(portal.file(0.5), portal.place.keys, 2, 1, {kind: made}))


@pytest.mark.slow
@pytest.mark.usefixtures("real_children")
def test_every_kind_of_bomb_is_refused(portal: World) -> None:
    kinds = {**bombs.BOMBS, **bombs.CSV_BOMBS}
    outcome = campaign(portal.file(0.5), portal.place.keys, len(kinds), 1, kinds)
    hold(outcome)
    assert set(outcome.refused) | set(bombs.MAY_BE_SOUND) == set(kinds)


@pytest.mark.slow
@pytest.mark.usefixtures("real_children")
def test_a_worker_outlives_bombs_and_scores_what_comes_after(world: World, tmp_path: Path) -> None:
    """The whole way: taken in, refused with a reason that the sender sees, no limit touched, and the next file is scored."""
    import numpy as np

    from striate.portal.models import Job, Link

    ada = world.person("ada", team="Ada")
    for kind in ("enormous_metadata", "many_rows", "lying_pages"):
        bomb = bombs.BOMBS[kind](world.file(0.5), tmp_path / f"{kind}.parquet", np.random.default_rng(3))
        sent = world.scored(ada, bomb)
        assert sent.state == "refused", kind
        assert sent.reason.endswith(".")
    assert not Link.objects.exists()
    assert world.scored(ada, world.file(0.5)).state == "scored"
    assert not Job.objects.filter(done_at=None).exists()
    assert world.files("submissions", "incoming") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\0b.parquet", "ab.parquet"),
        ("x" * 5000 + ".parquet", "x" * 200),
        ("\u202egpj.parquet", "gpj.parquet"),
        ("übung 🐭.parquet", "übung 🐭.parquet"),
        ("/", "submission"),
        ("..", ".."),
        ("line\nline\r\n", "line line"),
    ],
)
def test_a_name_leads_nowhere_and_is_fit_to_be_shown(world: World, called: str, shown: str) -> None:
    before = {each for each in world.place.data.rglob("*") if "incoming" not in each.parts}
    sent = world.send(world.person("ada", team="Ada"), world.file(0.5), filename=called)
    assert sent.filename == shown
    assert {each for each in world.place.data.rglob("*") if "incoming" not in each.parts} == before
    assert world.files("submissions", "incoming") == [f"incoming/{sent.pk}/submission.parquet"]
    world.work()
    page = world.browser(sent.by).get(f"/submissions/{sent.pk}/file/")
    assert page.status_code == 200
    assert page["Content-Disposition"].startswith("attachment")
    assert "\n" not in page["Content-Disposition"]


def test_an_upload_by_an_odd_name_is_taken(world: World) -> None:
    """PostgreSQL has no NUL in texts."""
    call = world.api(world.person("ada", team="Ada"))
    about = {"filename": "../a\0b.parquet", "size": 10, "sha256": "0" * 64}
    assert call("POST", "uploads", about).status_code == 200


@pytest.mark.slow
def test_the_campaign_can_be_run_by_hand() -> None:
    command = [sys.executable, "-m", "tests.portal.bombs", "--files", "3", "--kind", "cut_short"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 refused, 0 accepted, 0 failed" in done.stdout
