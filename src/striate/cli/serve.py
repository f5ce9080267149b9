"""The command ``serve`` and its subcommands, which run a portal; those for maintenance are in `striate.cli.serve_admin`."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from striate._internal.paths import expand_path
from striate.cli.app import COMPETITIONS, app

if TYPE_CHECKING:
    from striate.portal import Place


class _WithDefault(TyperGroup):
    """``striate serve FOLDER`` means ``striate serve all FOLDER``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["all", *args]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command, and turn a database error into a one-sentence message."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if "django.db" in sys.modules:
                _refuse_database_error(error)
            raise

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["all", *args]
        return super().parse_args(ctx, args)


serve_app = typer.Typer(
    cls=_WithDefault,
    no_args_is_help=True,
    help="The portal: a competition's data, submissions and leaderboards on the web. `striate serve FOLDER` starts all of it.",
)
app.add_typer(serve_app, name="serve", rich_help_panel=COMPETITIONS)

Folder = Annotated[Path, typer.Argument(help="Public folder of the competition.", show_default=False)]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the data of the portal. Default: NAME-portal beside the competition folder.",
        show_default=False,
    ),
]
LiveTruthPath = Annotated[
    Path | None,
    typer.Option(
        envvar="STRIATE_LIVE_TRUTH",
        help="Live truth of the competition, which only the worker reads. Default: NAME-live-truth.npz beside the competition "
        "folder.",
        show_default=False,
    ),
]
Host = Annotated[
    str, typer.Option(help="Address to listen on. Any other address than that of this machine needs a proxy with TLS.")
]
Port = Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)]
NewFiles = Annotated[Path, typer.Argument(help="Folder with all files of the new version.", show_default=False)]
Note = Annotated[str, typer.Option(help="Description of the changes, for users of the data.", show_default=False)]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        help="Path, relative to the folder, of a file to accept although it looks as if it contains withheld responses; repeatable. "
        "The portal records this in its audit log.",
        show_default=False,
    ),
]


@serve_app.command("all")
def everything(
    folder: Folder,
    live_truth: LiveTruthPath = None,
    data: Data = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    browser: Annotated[
        bool | None,
        typer.Option(help="Open the portal in a browser. Default: if started from a terminal.", show_default=False),
    ] = None,
) -> None:
    """Run the portal on this machine, with a web process and a worker, until Ctrl-C."""
    place = portal_paths(folder, data)
    file = live_truth or place.competition.with_name(f"{place.competition.name}-live-truth.npz")
    _require_file(file)
    from striate.portal.running.serve import serve, web, worker

    first = web(place, host, port)  # before anything is written, and the password is shown
    _prepare(place, file)
    processes = [first, worker(place, file)]
    _say_address(host, port)
    if sys.stdout.isatty() if browser is None else browser:
        import threading
        import webbrowser

        threading.Timer(2.0, webbrowser.open, [f"http://{host}:{port}/"]).start()
    serve(processes)


@serve_app.command("web")
def web_only(folder: Folder, data: Data = None, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run only the web process, which does not read the live truth."""
    place = portal_paths(folder, data)
    from striate.portal.running.serve import serve, web

    processes = [web(place, host, port)]
    _prepare(place)
    _say_address(host, port)
    serve(processes)


@serve_app.command("worker")
def worker_only(folder: Folder, live_truth: LiveTruthPath = None, data: Data = None) -> None:
    """Run only a worker: an additional one, or one on another machine (with DATABASE_URL)."""
    place = portal_paths(folder, data)
    file = live_truth or place.competition.with_name(f"{place.competition.name}-live-truth.npz")
    _require_file(file)
    _prepare(place, file)
    from striate.portal.running.serve import serve, worker

    serve([worker(place, file)])


@serve_app.command("password")
def password(
    folder: Folder,
    username: Annotated[str, typer.Argument(help="Username of the account.")] = "admin",
    data: Data = None,
) -> None:
    """Set a new random password for an account, and print it."""
    place = portal_paths(folder, data)
    _open(place)
    from striate.portal.running.prepare import new_password

    print(f"the new password of {username}, shown this once: {new_password(username)}")


@serve_app.command("account")
def account(
    folder: Folder,
    username: Annotated[str, typer.Argument(help="Username for signing in.", show_default=False)],
    email: Annotated[str, typer.Option(help="E-mail address.", show_default=False)],
    team: Annotated[str, typer.Option(help="Name of the team, which is created if necessary.", show_default=False)],
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Write an access token of the account to this file, readable only by you.", show_default=False
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Create an approved account with a team, and print its password: for rehearsals, and for portals that send no mail."""
    place = portal_paths(folder, data)
    _open(place)
    from striate._internal.atomic_write import atomic_write
    from striate.portal.running.prepare import new_account

    with ExitStack() as stack:
        # The account is made last: its token and password can be shown only once.
        aside = None if token_file is None else stack.enter_context(atomic_write(token_file))
        if aside is not None:
            aside.touch(mode=0o600)
        password, token = new_account(username, email, team)
        if aside is not None:
            aside.write_text(token + "\n", encoding="utf-8")
    print(f"account {username}, team {team}, password, shown this once: {password}")
    if token_file is not None:
        print(f"wrote {token_file}")


@serve_app.command("publish")
def publish(
    folder: Folder,
    results: Annotated[
        Path,
        typer.Argument(help="Folder written by `striate competition close`, on another machine.", show_default=False),
    ],
    data: Data = None,
) -> None:
    """Publish the results of a closed competition as final leaderboards."""
    from datetime import UTC, datetime

    place = portal_paths(folder, data)
    _open(place)
    from striate.portal.boards.publish import publish as publish_results

    made = publish_results(results, at=datetime.now(UTC))
    print(f"published: {len(made.boards)} final boards of {made.title}")


@serve_app.command("snapshot")
def snapshot(
    folder: Folder,
    files: NewFiles,
    note: Note,
    allow: Allow = None,
    data: Data = None,
) -> None:
    """Publish a folder on this machine as a new version of the data. From another machine, use `striate data push`."""
    place = portal_paths(folder, data)
    _open(place)
    from striate.portal.hosting.in_place import publish_folder

    made, new = publish_folder(expand_path(files), note=note, allow=allow or ())
    print(f"version {made.number}, sha256 {made.sha256}" + ("" if new else " (these files are a version already)"))


@serve_app.command("clear")
def clear(
    folder: Folder,
    days: Annotated[
        float | None,
        typer.Option(
            help="Age in days of the unfinished uploads to remove. Default: STRIATE_PORTAL_PUSH_DAYS (7). With 0, the files of current "
            "uploads are removed, too, and are sent again.",
            min=0,
            max=3650,
            show_default=False,
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Remove the files of abandoned data uploads. The worker does so regularly. Published versions are not changed."""
    from datetime import timedelta

    from striate._internal.progress_bars import format_size

    place = portal_paths(folder, data)
    _open(place)
    from striate.portal.hosting import arriving

    removed = arriving.clear(None, None if days is None else timedelta(days=days))
    left = arriving.waiting()
    print(f"removed: {removed.files} files, {format_size(removed.size)}")
    print(f"waiting for their push to go on: {left.files} files, {format_size(left.size)}")


def _refuse_database_error(error: Exception) -> None:
    """Raise an `InputError` if the database is away, locked, full, or cannot be written."""
    from django.db import InterfaceError, OperationalError

    from striate.errors import InputError

    if isinstance(error, OperationalError | InterfaceError):
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(
            f"The database could not do this ({why}): see that it is there, can be written, has room on its disk, and is not locked by another "
            "program, then run the command again."
        ) from None


def portal_paths(folder: Path, data: Path | None) -> "Place":
    """Return the paths of a portal; raise `InputError` if packages that a portal needs are not installed."""
    from importlib.util import find_spec

    from striate.errors import InputError

    missing = [name for name in ("django", "ninja", "gunicorn", "whitenoise", "dj_database_url") if not find_spec(name)]
    if missing:
        raise InputError(
            f"The portal needs {', '.join(missing)}, which is not installed here: pip install 'striate[portal]' brings all of it."
        )
    from striate.portal import Place

    return Place.of(folder, data)


def _prepare(place: "Place", live_truth: Path | None = None) -> None:
    from striate.portal.running.prepare import prepare

    made = prepare(place, live_truth=expand_path(live_truth).resolve() if live_truth else None)
    if made.before_upgrade is not None:
        print(
            f"the database was brought to this version of striate; what it held before: {made.before_upgrade}",
            flush=True,
        )
    if (one := made.administrator) is not None:
        print(f"organiser's account: {one.username}, password, shown this once: {one.password}", flush=True)


def _open(place: "Place") -> None:
    """Open an existing portal, which may be running, without changing its tables, or create a new one."""
    from striate.portal.running.prepare import is_there, open_portal

    if is_there(place):
        open_portal(place)
    else:
        _prepare(place)


def _require_file(file: Path) -> None:
    from striate.errors import InputError

    if not expand_path(file).is_file():
        raise InputError(
            f"There is no live truth at {file}: name the file that `striate competition build` made (--live-truth), copied to "
            "where the vault is not."
        )


def _say_address(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"the portal: http://{shown}:{port}/ (end with Ctrl-C)", flush=True)
