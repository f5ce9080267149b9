"""What a push brings becomes a version's, or is cleared when the push was given up: whatever happens at the same time."""

import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from tests.fixtures.command import run_in_process
from tests.portal.world import World, on_a_port

CONTENT = b"what a push brought"
SHA = hashlib.sha256(CONTENT).hexdigest()
NAME = f"{SHA[:2]}/{SHA}"


def send(*some: bytes) -> None:
    from striate.portal.hosting import arriving

    arriving.keep_small({hashlib.sha256(each).hexdigest(): each for each in some})


def publish(*some: bytes) -> Any:
    from striate.portal.hosting.snapshots import NewFile, publish

    files = [NewFile(f"{each.decode()}.txt", len(each), hashlib.sha256(each).hexdigest()) for each in some]
    return publish(files, note="", author="Olga")[0]


def rest(days: float) -> None:
    """Let time go by for what has arrived."""
    from striate.portal.models import Arrival

    Arrival.objects.update(asked_at=timezone.now() - timedelta(days=days))


def clear(**named: Any) -> Any:
    from striate.portal.hosting import arriving

    return arriving.clear("worker", **named)


def kept(world: World) -> bytes | None:
    """What is stored under the name of the content."""
    from django.core.files.storage import storages

    from striate.portal.storage import opened

    if not storages["data"].exists(NAME):
        return None
    with opened(storages["data"], NAME) as file:
        return file.read()


def test_what_a_given_up_push_brought_is_cleared_after_a_week(world: World) -> None:
    from striate.portal.hosting import arriving
    from striate.portal.models import Arrival, AuditEntry

    send(CONTENT, b"another")
    rest(6.9)
    assert clear().files == 0
    assert arriving.waiting() == arriving.Amount(2, len(CONTENT) + 7)
    rest(7.1)
    assert clear() == arriving.Amount(2, len(CONTENT) + 7)
    assert not Arrival.objects.exists()
    assert not world.files("data")
    entry = AuditEntry.objects.get(what="clear contents")
    assert (entry.who, entry.after) == ("worker", {"files": 2, "bytes": len(CONTENT) + 7})
    assert clear().files == 0
    assert AuditEntry.objects.filter(what="clear contents").count() == 1, "that there was nothing is not written"


def test_what_a_version_has_stays_and_what_it_has_not_goes(world: World) -> None:
    from striate.portal.models import Content

    send(CONTENT, b"forgotten")
    publish(CONTENT)
    rest(30)
    assert clear().files == 1
    assert world.files("data") == [NAME]
    assert Content.objects.filter(sha256=SHA).exists()
    assert kept(world) == CONTENT


def test_a_push_that_goes_on_names_what_it_brought_and_keeps_it(world: World) -> None:
    send(CONTENT)
    rest(30)
    olga = world.person("olga", staff=True)
    file = {"path": "a.txt", "size": len(CONTENT), "sha256": SHA}
    assert world.api(olga)("POST", "data/missing", {"files": [file]}).json() == {"missing": []}
    assert clear().files == 0
    assert publish(CONTENT).number == 2


def test_a_version_whose_contents_were_cleared_says_so_and_the_push_sends_them_again(world: World) -> None:
    from striate.errors import InputError

    send(CONTENT)
    rest(30)
    clear()
    with pytest.raises(InputError, match="send them first"):
        publish(CONTENT)
    send(CONTENT)
    assert publish(CONTENT).number == 2
    assert kept(world) == CONTENT


def at_once(*all_of_them: Callable[[], Any]) -> list[Any]:
    """Do several things at the same time; what each gave or raised."""
    from django.db import connections

    begin, found = threading.Barrier(len(all_of_them)), [None] * len(all_of_them)

    def one(number: int, what: Callable[[], Any]) -> None:
        begin.wait(10)
        try:
            found[number] = what()
        except Exception as error:
            found[number] = error  # type: ignore[call-overload]
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=each) for each in enumerate(all_of_them)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
        assert not each.is_alive()
    return found


def test_no_version_names_bytes_that_are_gone_whoever_comes_first(world: World) -> None:
    """Clearing, publishing, and sending anew, all at once, again and again."""
    from striate.errors import InputError
    from striate.portal.models import Arrival, Content

    for number in range(12):
        content = b"%d" % number
        digest = hashlib.sha256(content).hexdigest()
        send(content)
        rest(30)
        made, cleared, again, sent = at_once(lambda c=content: publish(c), clear, clear, lambda c=content: send(c))
        assert not isinstance(cleared, Exception), cleared
        assert not isinstance(again, Exception), again
        assert sent is None
        named = Content.objects.filter(sha256=digest).exists() or Arrival.objects.filter(sha256=digest).exists()
        stored = any(name.endswith(digest) for name in world.files("data"))
        assert named, "what was sent last is not lost"
        assert stored
        if isinstance(made, Exception):
            assert isinstance(made, InputError), made
            publish(content)


@pytest.mark.parametrize("moment", ["before it is looked for", "before it is removed"])
def test_bytes_that_come_again_while_they_are_removed_stay(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The row is gone, the file not yet: a push that sends the same bytes in this instant is not robbed of them."""
    from striate.portal.hosting import arriving

    send(CONTENT)
    rest(30)
    sending: list[threading.Thread] = []

    def send_beside() -> None:
        thread = threading.Thread(target=lambda: at_once(lambda: send(CONTENT)))
        sending.append(thread)
        thread.start()
        thread.join(0.5)  # it may have to wait until all is over

    class Slow:
        def delete(self, name: str) -> None:
            send_beside()
            real_storage.delete(name)

        def __getattr__(self, name: str) -> Any:
            return getattr(real_storage, name)

    real_remove, real_storage = arriving._remove, arriving.storage()
    with monkeypatch.context() as slow:
        if moment == "before it is removed":
            slow.setattr(arriving, "storage", lambda: Slow() if not sending else real_storage)
        else:
            slow.setattr(arriving, "_remove", lambda sha256: (send_beside(), real_remove(sha256)))
        assert clear().files == 1
        sending[0].join(30)
    assert kept(world) == CONTENT
    assert publish(CONTENT).number == 2


def test_a_push_that_asks_while_its_contents_are_cleared_is_told_the_truth(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is told to be here is here when it publishes; otherwise it is told to send it."""
    from striate.portal.hosting.snapshots import missing

    for number in range(10):
        content = b"%d" % number
        send(content)
        rest(30)
        told, cleared = at_once(lambda c=content: missing([hashlib.sha256(c).hexdigest()]), clear)
        assert not isinstance(cleared, Exception), cleared
        if not told:
            publish(content)
        else:
            assert cleared.files == 1


def test_what_a_killed_process_left_is_swept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.hosting import arriving

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:  # announced, and not put
        broken.setattr(arriving, "put", kill)
        with pytest.raises(Killed):
            arriving.keep(_file(world, b"never arrived"), hashlib.sha256(b"never arrived").hexdigest())
    with monkeypatch.context() as broken:  # put, and not said to be whole
        broken.setattr(arriving, "_arrived", kill)
        with pytest.raises(Killed):
            arriving.keep(_file(world, CONTENT), SHA)
    assert not arriving.here([SHA]), "what is not known to be whole is sent again"
    rest(30)
    with monkeypatch.context() as broken:  # its row is removed, and its file not
        broken.setattr(arriving, "_remove", kill)
        with pytest.raises(Killed):
            clear()
    assert world.files("data") == [NAME]
    send(b"another")
    world.keep("data", "looking/abc/summary.json", b"{}")
    assert arriving.sweep() == 0, "it was written lately, and may be on its way"
    _age(monkeypatch)
    assert arriving.sweep() == 1
    assert len(world.files("data")) == 2
    publish(b"another")


def _file(world: World, content: bytes) -> Path:
    file = world.place.uploads / "file"
    file.write_bytes(content)
    return file


def _age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time go by for the files of the storage."""
    from striate.portal.hosting import arriving

    real = arriving.below
    monkeypatch.setattr(
        arriving, "below", lambda *told: [(name, written - timedelta(days=8)) for name, written in real(*told)]
    )


def test_the_worker_clears_by_itself_a_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.scoring import housekeeping

    send(CONTENT, b"another")
    rest(30)
    monkeypatch.setattr(housekeeping, "_CLEARED_AT_ONCE", 1)  # submissions wait meanwhile
    for left in (1, 0):
        housekeeping._next_cleaning[0] = 0.0
        housekeeping.keep_house()
        assert len(world.files("data")) == left


def test_an_organiser_sees_what_waits_and_clears_by_hand(world: World) -> None:
    send(CONTENT)
    page = world.browser(world.person("olga", staff=True)).get("/organise/").content.decode()
    assert "is in no version yet" in page
    assert "for 7 days" in page
    public = world.place.competition
    kept_ = run_in_process("serve", "clear", public, "--data", world.place.data)
    assert kept_.status == 0, kept_.err
    assert "removed: 0 files" in kept_.out
    assert "to go on: 1 files, 19 B" in kept_.out
    gone = run_in_process("serve", "clear", public, "--data", world.place.data, "--days", "0")
    assert "removed: 1 files, 19 B" in gone.out
    assert not world.files("data")


def test_a_long_push_says_again_what_it_is_about(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.fetch.auth_tokens import save_token
    from striate.portal import pushing
    from striate.portal.models import Arrival

    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.bin").write_bytes(b"%d" % number)
    monkeypatch.setattr(pushing, "_MOST_TOGETHER", 1)
    monkeypatch.setattr(pushing, "_NAMED_EVERY", 0.0)
    real = pushing.Publisher._send_small

    def slowly(self: Any, few: Any, advance: Any) -> None:
        real(self, few, advance)
        Arrival.objects.update(asked_at=F("asked_at") - timedelta(days=3))
        clear(after=timedelta(days=5))

    monkeypatch.setattr(pushing.Publisher, "_send_small", slowly)
    with on_a_port() as address:
        save_token(address, world.token(world.person("olga", staff=True)))
        assert pushing.Publisher(address).push(folder).number == 2


@pytest.mark.parametrize("told", ["0", "-1", "soon", "1e9", "nan"])
def test_a_setting_that_is_no_number_of_days_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.errors import InputError
    from striate.portal.days import days_told

    monkeypatch.setenv("STRIATE_PORTAL_PUSH_DAYS", told)
    with pytest.raises(InputError, match="is to be a number of days"):
        days_told("STRIATE_PORTAL_PUSH_DAYS", 7)


def test_what_stayed_for_ever_before_can_be_cleared_after_the_upgrade(world: World) -> None:
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from striate.portal.hosting import arriving
    from striate.portal.models import Arrival, Content, triggers

    send(CONTENT, b"published")
    publish(b"published")
    Arrival.objects.all().delete()
    Content.objects.create(sha256=SHA, size=len(CONTENT))  # so it was before there were arrivals
    loader = MigrationLoader(connection)
    migration = next(loader.graph.nodes[key] for key in loader.graph.nodes if key[1].endswith("_arrivals"))
    before = Content.objects.count()
    triggers.lift()
    try:
        migration.operations[-1].code(loader.project_state().apps, None)
    finally:
        triggers.protect()
    assert Content.objects.count() == before - 1
    assert arriving.here([SHA]) == {SHA}
    rest(30)
    assert clear().files == 1
    assert len(world.files("data")) == 1
