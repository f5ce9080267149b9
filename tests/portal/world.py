"""A portal in this process, and people who use it."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from striate.competition import Built, LiveTruth
from striate.portal import Place
from tests.competition.examples import predictions

PASSWORD = "a long and dull password"
_numbers = itertools.count()


@dataclass
class World:
    """The portal of a small competition that is on now."""

    place: Place
    built: Built
    live: LiveTruth
    scratch: Path
    written: dict[tuple[Any, ...], Path] = field(default_factory=dict)

    def empty(self) -> None:
        """Forget everybody and everything; the database keeps some tables from that otherwise."""
        from django.core.management import call_command

        from striate.portal.models import triggers

        triggers.lift()
        call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)
        triggers.protect()

    def person(self, name: str, *, team: str | None = None, admitted: bool = True, staff: bool = False) -> Any:
        """An account; with a team of its own, or in one that is there already."""
        from django.utils import timezone

        from striate.portal.models import Membership, Team, User

        user = User.objects.create_user(name, f"{name}@example.org", PASSWORD, name=name.title(), is_staff=staff)
        user.is_superuser = staff
        user.approved_at = timezone.now() if admitted else None
        user.save()
        if team is not None:
            Membership.objects.create(user=user, team=Team.objects.get_or_create(name=team)[0])
        return user

    def browser(self, user: Any = None) -> Any:
        """A browser, signed in."""
        from django.test import Client

        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    def token(self, user: Any) -> str:
        """A token of a person."""
        from striate.portal.models import Token

        return Token.make(user, "test")[1]

    def api(self, user: Any) -> "Api":
        """The API, as a program of a person sees it."""
        return Api(self, self.token(user))

    def file(self, skill: float, track: str = "sensorium", seed: int = 0) -> Path:
        """A submission's file; made once."""
        key = (skill, track, seed)
        if key not in self.written:
            path = self.scratch / f"{track}-{skill}-{seed}.parquet"
            predictions(self.built, track, skill, seed).write(path)
            self.written[key] = path
        return self.written[key]

    def send(self, user: Any, file: Path, **fields: Any) -> Any:
        """Take a file in, as if it was uploaded; nothing is done with it yet."""
        import shutil

        from striate.portal.receiving.taking import NATIVE, take

        copy = self.place.uploads / f"test-{next(_numbers)}"
        shutil.copyfile(file, copy)
        options = {"team": user.team, "by": user, "filename": file.name} | fields
        return take({NATIVE: copy}, **options)[0]

    def files(self, storage: str, folder: str = "") -> list[str]:
        """Names of what lies in a storage."""
        from django.core.files.storage import storages

        from striate.portal.storage import below

        return [name for name, _ in below(storages[storage], folder)]

    def keep(self, storage: str, name: str, content: bytes) -> None:
        """Put a file into a storage."""
        import tempfile

        from django.core.files.storage import storages

        from striate.portal.storage import put

        with tempfile.NamedTemporaryFile(dir=self.scratch, delete=False) as file:
            file.write(content)
        put(storages[storage], Path(file.name), name)

    def lose(self, storage: str, name: str) -> None:
        """Remove a file from a storage."""
        from django.core.files.storage import storages

        assert storages[storage].exists(name)
        storages[storage].delete(name)

    def submissions(self, target: Path) -> Path:
        """Take what the portal keeps of submissions to a folder of this machine."""
        from django.core.files.storage import storages

        from striate.portal.storage import opened

        for name in self.files("submissions"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with opened(storages["submissions"], name) as kept:
                (target / name).write_bytes(kept.read())
        return target

    def tried(self, user: Any, file: Path) -> Any:
        """Have a file checked in the browser, without confirming."""
        from striate.portal.models import Upload

        with file.open("rb") as opened:
            answer = self.browser(user).post("/submit/", {"file": opened, "note": "a try"})
        assert answer.status_code == 302, answer.content.decode()
        return Upload.objects.exclude(found={}).get(by=user)

    def work(self) -> None:
        """Do all jobs that are due."""
        from striate.portal.scoring.work import work

        while work(self.live):
            pass

    def scored(self, user: Any, file: Path, **fields: Any) -> Any:
        """Send a file and have it scored."""
        from striate.portal.models import Submission

        sent = self.send(user, file, **fields)
        self.work()
        return Submission.objects.get(pk=sent.pk)


@dataclass
class Api:
    """Calls of the API with a token."""

    world: World
    token: str

    def __call__(self, method: str, path: str, content: Any = None) -> Any:
        from django.test import Client

        sent: dict[str, Any] = {"headers": {"Authorization": f"Bearer {self.token}"}}
        if isinstance(content, bytes):
            sent |= {"data": content, "content_type": "application/octet-stream"}
        elif content is not None:
            sent |= {"data": content, "content_type": "application/json"}
        return Client().generic(method, f"/api/v1/{path}", **_body(sent))

    def submit(self, file: Path, **fields: Any) -> Any:
        """Upload a file and submit it; return the last answer."""
        import hashlib

        data = file.read_bytes()
        about = {"filename": file.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        begun = self("POST", "uploads", about)
        if begun.status_code != 200:
            return begun
        number = begun.json()["id"]
        assert self("PUT", f"uploads/{number}?offset=0", data).status_code == 200
        return self("POST", "submissions", {"upload": number, **fields})


def _body(sent: dict[str, Any]) -> dict[str, Any]:
    import json

    if isinstance(sent.get("data"), dict):
        sent["data"] = json.dumps(sent["data"])
    return sent


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def on_a_port() -> Iterator[str]:
    """Serve the portal from threads of this process; its address."""
    from django.core.wsgi import get_wsgi_application
    from django.db import connections

    application = get_wsgi_application()

    def closing(environ: Any, start: Any) -> Any:
        answer = application(environ, start)
        connections.close_all()
        return answer

    server = make_server("127.0.0.1", 0, closing, server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
