"""``striate submit``: refused here before it is sent, resumed, watched; and what it says when the portal cannot."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from striate.submissions import Submission
from striate.submissions.formats import sensorium_csv
from tests.fixtures.command import Outcome, assert_one_sentence, run_in_process
from tests.portal.world import World, on_a_port


@pytest.fixture
def address(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    with on_a_port() as found:
        yield found


@pytest.fixture
def ada(world: World) -> Any:
    return world.person("ada", team="Ada")


def submit(world: World, address: str, user: Any, file: Path, *options: str) -> Outcome:
    token = world.scratch / "token"
    token.write_text(world.token(user))
    return run_in_process("submit", file, "--to", address, "--token-file", token, *options)


@pytest.mark.slow
def test_it_waits_for_the_score_and_shows_the_receipt(world: World, address: str, ada: Any) -> None:
    over = threading.Event()

    def worker() -> None:
        from django.db import connection

        while not over.wait(0.05):
            world.work()
        connection.close()

    working = threading.Thread(target=worker)
    working.start()
    try:
        done = submit(world, address, ada, world.file(0.5), "--note", "the first")
    finally:
        over.set()
        working.join()
    assert done.status == 0, done.err
    assert "receipt 1: sensorium, image, chain" in done.out
    assert "correlation to average" in done.out
    again = submit(world, address, ada, world.file(0.5))
    assert "has sent this file before" in again.out


def test_csvs_are_sent_as_a_native_file(world: World, address: str, ada: Any, tmp_path: Path) -> None:
    from striate.portal.models import Submission as Sent

    sensorium_csv.write(Submission.read(world.file(0.5)), tmp_path / "csv")
    refused = submit(world, address, ada, tmp_path / "csv")
    assert_one_sentence(refused, "--session")
    done = submit(world, address, ada, tmp_path / "csv", "--session", "11-1-1", "--protocol", "image", "--no-wait")
    assert done.status == 0, done.err
    assert Sent.objects.get().state == "queued"


def test_what_the_portal_would_refuse_is_refused_here(world: World, address: str, ada: Any, tmp_path: Path) -> None:
    from striate.portal.models import Attempt
    from striate.portal.models import Submission as Sent

    native = Submission.read(world.file(0.5))
    csvs = tmp_path / "one tier"
    sensorium_csv.write(native, csvs)
    (csvs / "submission_file_final_test.csv").unlink()
    done = submit(world, address, ada, csvs, "--session", "11-1-1", "--protocol", "image")
    assert_one_sentence(done, "must be predicted")
    assert not Sent.objects.exists()
    assert not Attempt.objects.exists(), "nothing was sent"


@pytest.mark.parametrize("token", ["striate_nonsense", "revoked"])
def test_a_token_that_is_not_known_is_named(world: World, address: str, ada: Any, token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token)
    done = run_in_process("submit", world.file(0.5), "--to", address, "--token-file", tmp_path / "token")
    assert_one_sentence(done, "does not know the token")


def test_without_a_token_it_says_how_to_have_one(world: World, address: str) -> None:
    assert_one_sentence(run_in_process("submit", world.file(0.5), "--to", address), "make one", "--token-file")


@pytest.mark.slow
def test_a_limit_is_a_sentence_and_status_1(world: World, address: str, ada: Any) -> None:
    for seed in range(3):
        assert submit(world, address, ada, world.file(0.5, seed=seed), "--no-wait").status == 0
    done = submit(world, address, ada, world.file(0.5, seed=3), "--no-wait")
    assert_one_sentence(done, "3 are allowed", "again from")
    assert done.status == 1


def test_maintenance_is_status_75_and_nothing_is_lost(world: World, address: str, ada: Any) -> None:
    from django.utils import timezone

    from striate.portal.models import MaintenanceWindow
    from striate.portal.models import Submission as Sent

    now = timezone.now()
    MaintenanceWindow.objects.create(starts=now - timedelta(hours=1), ends=now + timedelta(hours=1))
    done = submit(world, address, ada, world.file(0.5))
    assert_one_sentence(done, "maintenance", "again in")
    assert done.status == 75
    MaintenanceWindow.objects.all().delete()
    assert submit(world, address, ada, world.file(0.5), "--no-wait").status == 0
    assert Sent.objects.count() == 1


def test_a_broken_connection_is_mended(world: World, address: str, ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are small here, and every second request breaks off."""
    import urllib3

    from striate.fetch.auth_tokens import save_token
    from striate.portal import client

    save_token(address, world.token(ada))
    monkeypatch.setattr(client, "_PART", 1000)
    real, count = urllib3.PoolManager.request, iter(range(10**6))

    def breaking(self: Any, *args: Any, **named: Any) -> Any:
        number = next(count)
        if number % 4 == 1:
            raise urllib3.exceptions.ProtocolError("broken before it arrived")
        answer = real(self, *args, **named)
        if number % 4 == 3:
            raise urllib3.exceptions.ProtocolError("broken after it arrived")
        return answer

    monkeypatch.setattr(urllib3.PoolManager, "request", breaking)
    sent = client.Portal(address, sleep=lambda _: None).send(world.file(0.5), wait=False)
    assert sent.state["state"] == "queued"


def test_a_portal_that_is_away_is_asked_again_and_the_person_is_told(
    world: World, address: str, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.client import Portal

    told: list[str] = []
    portal = Portal(address, token=world.token(ada), sleep=lambda _: None, said=told.append)
    pools = portal._connections.through(None)
    asked, away = pools.request, 3

    def request(*arguments: Any, **options: Any) -> Any:
        nonlocal away
        away -= 1
        if away >= 0:
            raise OSError("nobody listens")
        return asked(*arguments, **options)

    monkeypatch.setattr(pools, "request", request)
    assert portal.send(world.file(0.5), wait=False).new
    (sentence,) = told
    assert "cannot be reached" in sentence


def test_an_address_that_is_no_portal_is_named(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fixtures.hosts import Host, serving

    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    (tmp_path / "token").write_text("x")
    for answer, said in (
        (b"nonsense", "not what a portal answers"),
        (
            b"<!DOCTYPE html><HTML>Sign in to the network",
            "is no portal of striate, or of another version: its answer is a web page",
        ),
        (b"PK\x03\x04 nonsense", "damaged"),
    ):
        with serving(Host({"/api/v1/keys": answer})) as host:
            done = run_in_process("submit", world.file(0.5), "--to", host.address, "--token-file", tmp_path / "token")
        assert_one_sentence(done, said)
    assert_one_sentence(run_in_process("submit", world.file(0.5), "--to", "nonsense"), "no address")


def test_a_file_with_the_longest_name_of_a_file_system_is_sent(
    world: World, address: str, ada: Any, tmp_path: Path
) -> None:
    from striate.portal.models import Submission

    file = tmp_path / f"{'x' * 247}.parquet"
    file.write_bytes(world.file(0.5).read_bytes())
    done = submit(world, address, ada, file, "--no-wait")
    assert done.status == 0, done.err
    assert Submission.objects.get().filename == "x" * 200
