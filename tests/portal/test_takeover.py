"""A chain of receipts that the command line began goes on in the portal, or is refused with the reason."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from striate.competition import Receipts, choose, submit
from striate.competition.receipts import FILE
from striate.errors import InputError
from tests.portal.world import World


@pytest.fixture
def begun(world: World, tmp_path: Path) -> Iterator[Path]:
    """The store of a competition whose folder has four receipts: the same file twice, a choice, a baseline."""
    folder, store, now = world.place.competition, tmp_path / "store", datetime.now(UTC)
    try:
        submit(folder, world.file(0.5), "Ada", store, at=now - timedelta(hours=5))
        submit(folder, world.file(0.3), "Ada", store, at=now - timedelta(hours=4))
        choose(folder, "Ada", 1, at=now - timedelta(hours=3))
        submit(folder, world.file(0.1), "LN baseline", store, at=now - timedelta(hours=2), baseline=True)
        submit(folder, world.file(0.5), "Ada", store, at=now - timedelta(hours=1))
        yield store
    finally:
        (folder / FILE).unlink(missing_ok=True)


def keep(world: World, store: Path) -> None:
    for file in store.iterdir():
        world.keep("submissions", file.name, file.read_bytes())


def start() -> None:
    from striate.portal.running.prepare import _begin_chain

    _begin_chain()


def test_the_chain_goes_on(world: World, begun: Path, tmp_path: Path) -> None:
    from striate.portal.models import Link, Membership, Submission, Team

    keep(world, begun)
    start()
    start()  # what was taken over once is not taken over again
    assert Link.objects.count() == 5
    assert Submission.objects.count() == 3, "the same file from one team is one submission"
    world.work()
    rows = world.browser().get("/boards/sensorium-image.json").json()["rows"]
    assert [(row["team"], row["receipt"]) for row in rows] == [("Ada", 1), ("LN baseline", 4)]
    ada = world.person("ada")
    Membership.objects.create(user=ada, team=Team.objects.get(name="Ada"))
    assert world.scored(ada, world.file(0.6)).state == "refused", "three within a day are allowed, and receipts count"
    world.scored(world.person("ben", team="Ben"), world.file(0.7))
    first = Submission.objects.filter(team__name="Ada").latest("received_at")
    assert first.state == "refused"
    shutil.copytree(world.place.competition, tmp_path / "public")
    lines = b"".join(world.browser().get("/receipts.jsonl").streaming_content)
    assert lines.startswith((world.place.competition / FILE).read_bytes())
    (tmp_path / "public" / FILE).write_bytes(lines)
    chain = Receipts.read(tmp_path / "public")
    assert chain.problems() == []
    assert [entry.team for entry in chain.entries] == ["Ada", "Ada", "Ada", "LN baseline", "Ada", "Ben"]


def test_a_choice_may_be_taken_back_though_one_file_has_two_receipts(world: World, begun: Path) -> None:
    from striate.portal.models import Submission
    from striate.portal.receiving.choosing import choose as choose_here

    keep(world, begun)
    start()
    world.work()
    twice = Submission.objects.filter(team__name="Ada").order_by("received_at").first()
    assert choose_here(twice).kind == "choice"


def test_a_broken_chain_is_refused_and_nothing_is_taken(world: World, begun: Path) -> None:
    from striate.portal.models import Link, Submission

    keep(world, begun)
    file = world.place.competition / FILE
    file.write_text(file.read_text().replace('"Ada"', '"Eve"', 1))
    with pytest.raises(InputError, match="chain of receipts is broken: receipt 1 was changed"):
        start()
    assert not Link.objects.exists()
    assert not Submission.objects.exists()


@pytest.mark.parametrize("how", ["missing", "changed"])
def test_a_submission_that_is_not_kept_is_named(world: World, begun: Path, how: str) -> None:
    from striate.portal.models import Link, Team

    if how == "changed":
        keep(world, begun)
        for name in world.files("submissions"):
            world.keep("submissions", name, b"other")
    with pytest.raises(InputError, match=r"submission of receipt 1 \('Ada'\) is missing or was changed: put the files"):
        start()
    assert not Link.objects.exists()
    assert not Team.objects.exists()


def test_receipts_that_were_given_beside_the_portal_are_refused(world: World, begun: Path, tmp_path: Path) -> None:
    keep(world, begun)
    start()
    submit(world.place.competition, world.file(0.2), "Zoe", tmp_path / "store", at=datetime.now(UTC))
    with pytest.raises(
        InputError, match=r"other receipts than the portal \(6 and 5\): receipts are given in one place"
    ):
        start()
