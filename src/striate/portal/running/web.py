"""The web process: gunicorn, with the portal loaded once and shared by its workers."""

import os
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from striate.portal.logs import JsonLines, log_what_nobody_catches
from striate.portal.organising import counting
from striate.portal.place import Place
from striate.portal.receiving.crowd import THREADS
from striate.portal.running.connections import Threads
from striate.portal.running.parent import end_with_parent
from striate.portal.running.prepare import set_up

BIND = "STRIATE_PORTAL_BIND"


class ServerLogger(Logger):  # type: ignore[misc]
    """The log of gunicorn, in the same lines."""

    def setup(self, cfg: Any) -> None:
        """Set up the handlers, then replace their formatters."""
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(JsonLines())


class Web(BaseApplication):  # type: ignore[misc]
    """Gunicorn with settings of its own, and none from files or the command line."""

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        from django.conf import settings

        options = {
            "bind": os.environ[BIND],
            "workers": settings.WEB_WORKERS,
            "threads": THREADS,
            "worker_class": Threads,
            "preload_app": True,
            "timeout": 120,
            "graceful_timeout": 20,
            "keepalive": 5,
            "loglevel": "warning",
            "logger_class": ServerLogger,
            "proc_name": "striate portal",
            "forwarded_allow_ips": os.environ.get("STRIATE_PORTAL_PROXIES", "127.0.0.1,::1"),
        }
        for key, value in options.items():
            self.cfg.set(key, value)
        if (
            "control_socket_disable" in self.cfg.settings
        ):  # of newer versions: a socket in the home folder, which there may be none
            self.cfg.set("control_socket_disable", True)
        self.cfg.set("post_worker_init", _make_ready)
        self.cfg.set("child_exit", _forget)

    def load(self) -> Any:
        """The portal, with all its pages: what is left to be loaded by the first request, all others wait for, in each worker."""
        from django.db import connections
        from django.urls import get_resolver

        from striate.portal.wsgi import application

        assert get_resolver().url_patterns
        connections.close_all()  # each worker opens its own
        return application


def _make_ready(_worker: object) -> None:
    """Have what reads files ready in each worker, before the first one comes; and what may be written down beside requests."""
    from striate.portal.models.last_use import last_use
    from striate.portal.receiving.decoding import make_ready

    make_ready()
    last_use.beside()


def _forget(_arbiter: object, worker: Any) -> None:
    """Count a worker that has ended no longer."""
    counting.forget(worker.pid)


def main() -> None:
    """Serve until asked to end."""
    place = Place.from_environment()
    assert place is not None
    first = os.getpid()
    counted = counting.share()
    set_up(place)
    log_what_nobody_catches()
    end_with_parent()
    from striate.portal.receiving.decoding import say_protection

    say_protection()
    try:
        Web().run()
    finally:
        if os.getpid() == first:  # and not each process that it forked
            counting.end(counted)


if __name__ == "__main__":
    main()
