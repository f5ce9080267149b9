"""The commands ``serve backup``, ``restore``, ``export``, ``audit`` and ``rescore``, for organisers."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from striate.cli.serve import Data, Folder, portal_paths, serve_app

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File whose first line is the passphrase of the backup. Default: STRIATE_PASSPHRASE, or a prompt."
    ),
]
Out = Annotated[Path, typer.Option(help="File or folder to write.", show_default=False)]


@serve_app.command("backup")
def backup(
    folder: Folder,
    out: Out,
    seal: Annotated[bool, typer.Option(help="Encrypt it with a passphrase.")] = False,
    passphrase_file: PassphraseFile = None,
    with_live_truth: Annotated[
        Path | None, typer.Option(help="Include this live truth; the backup is then encrypted.", show_default=False)
    ] = None,
    without_data: Annotated[bool, typer.Option("--without-data", help="Do not include hosted data.")] = False,
    data: Data = None,
) -> None:
    """Back up the database, submissions, results, hosted data and secret key to one file, while the portal runs."""
    place = portal_paths(folder, data)
    from striate.portal.running.prepare import open_portal

    open_portal(place)
    from striate.competition.passphrases import strong_enough
    from striate.portal.organising import audit
    from striate.portal.organising.backup import backup as back_up

    sealed = seal or passphrase_file is not None or with_live_truth is not None
    passphrase = strong_enough(_passphrase(passphrase_file, new=True)) if sealed else None
    missing = back_up(out, passphrase=passphrase, live_truth=with_live_truth, data=not without_data)
    print(f"wrote {out}: {out.stat().st_size / 1e6:.1f} MB" + (", sealed" if sealed else ", not sealed: keep it safe"))
    audit.note(None, "back up", after={"sealed": sealed, "missing files": len(missing)})
    for name in missing:
        print(f"missing: the file {name} of a submission is not there any more", file=sys.stderr)
    if missing:
        raise typer.Exit(1)


@serve_app.command("restore")
def restore(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="File of the backup.", show_default=False)],
    passphrase_file: PassphraseFile = None,
    live_truth: Annotated[
        Path | None,
        typer.Option(help="File to write the live truth to, if the backup contains it.", show_default=False),
    ] = None,
    data: Data = None,
) -> None:
    """Restore a backup to an empty folder and database, which can be of another type (DATABASE_URL)."""
    place = portal_paths(folder, data)
    from striate.portal.organising.restore import is_sealed
    from striate.portal.organising.restore import restore as bring_back

    passphrase = _passphrase(passphrase_file) if is_sealed(file) else None
    about = bring_back(place, file, passphrase=passphrase, live_truth=live_truth)
    print(f"restored to {place.data} what was there on {about['made']}, with striate {about['striate']}")
    if not about["files"]:
        print(
            "it was made before an upgrade and holds no files: copy submissions/, snapshots/ and results/ from the portal's folder"
        )


@serve_app.command("export")
def export(
    folder: Folder,
    out: Out,
    without_files: Annotated[bool, typer.Option("--without-files", help="Do not include submitted files.")] = False,
    data: Data = None,
) -> None:
    """Export tables, files, receipts, leaderboards and audit log to a folder that can be read without the portal."""
    place = portal_paths(folder, data)
    from striate.portal.running.prepare import open_portal

    open_portal(place)
    from striate.portal.organising import audit
    from striate.portal.organising.export import export as write

    counts = write(out, files=not without_files)
    print(f"wrote {out}: {sum(counts.values())} rows of {len(counts)} tables")
    audit.note(None, "export", after={"files": not without_files})


@serve_app.command("audit")
def audit_log(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="Write the log to this file, as lines of JSON.", show_default=False)
    ] = None,
    data: Data = None,
) -> None:
    """Verify that the audit log is complete, and optionally export it."""
    place = portal_paths(folder, data)
    from striate.portal.running.prepare import open_portal

    open_portal(place)
    from striate._internal.atomic_write import atomic_write
    from striate.portal.organising.audit import verified
    from striate.portal.organising.export import audit_lines

    if out is None:
        count = sum(1 for _ in verified())
    else:
        with atomic_write(out) as aside:
            count = audit_lines(aside)
    print(f"the audit log is whole: {count} entries" + (f"; wrote {out}" if out else ""))


@serve_app.command("rescore")
def rescore(
    folder: Folder,
    track: Annotated[str, typer.Option(help="Only submissions of this track.", show_default=False)] = "",
    data: Data = None,
) -> None:
    """Queue all submissions without a score from this version of striate. The leaderboards change once all of them are scored."""
    place = portal_paths(folder, data)
    from striate.portal.running.prepare import open_portal

    open_portal(place)
    from striate.competition.commitment import scorer
    from striate.errors import InputError
    from striate.portal.competition import competition
    from striate.portal.organising.pages import score_again

    known = sorted({each.track.name for each in competition().boards.values()})
    if track and track not in known:
        raise InputError(f"There is no track {track!r}; there are {', '.join(known)}.")
    version = scorer(competition().rules.benchmark)
    queued = score_again(None, version=version, track=track)
    print(f"queued {queued} submissions to be scored by {version}; /organise/ shows how far they are")


def _passphrase(file: Path | None, *, new: bool = False) -> str:
    from striate.competition.passphrases import passphrase

    def ask() -> str:
        return str(typer.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=new, err=True))

    return passphrase(file, ask if sys.stdin.isatty() else None)
