"""Commands of ``serve`` for organisers: copies of everything, the audit log, scoring again."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from striate.cli.serve import Data, Folder, place_of, serve_app

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File whose first line is the passphrase of the backup. Without it STRIATE_PASSPHRASE counts, or you are asked."
    ),
]
Out = Annotated[Path, typer.Option(help="Where to write it.", show_default=False)]


@serve_app.command("backup")
def backup(
    folder: Folder,
    out: Out,
    seal: Annotated[bool, typer.Option(help="Encrypt it with a passphrase.")] = False,
    passphrase_file: PassphraseFile = None,
    with_live_truth: Annotated[
        Path | None, typer.Option(help="The live truth, to be in it, too; it is sealed then.", show_default=False)
    ] = None,
    without_data: Annotated[bool, typer.Option("--without-data", help="Leave hosted data out.")] = False,
    data: Data = None,
) -> None:
    """Copy everything into one file while the portal runs: database, submissions, results, secret key."""
    place = place_of(folder, data)
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
    file: Annotated[Path, typer.Argument(help="The backup.", show_default=False)],
    passphrase_file: PassphraseFile = None,
    live_truth: Annotated[
        Path | None, typer.Option(help="Where to write the live truth, if the backup holds it.", show_default=False)
    ] = None,
    data: Data = None,
) -> None:
    """Bring a backup back to where nothing is; also to another kind of database (DATABASE_URL)."""
    place = place_of(folder, data)
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
    without_files: Annotated[bool, typer.Option("--without-files", help="Leave submitted files out.")] = False,
    data: Data = None,
) -> None:
    """Write everything into a folder, to be read without the portal: tables, files, receipts, boards, audit log."""
    place = place_of(folder, data)
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
    out: Annotated[Path | None, typer.Option(help="Write it there, as lines of JSON.", show_default=False)] = None,
    data: Data = None,
) -> None:
    """Verify that the audit log is whole, and write it down."""
    place = place_of(folder, data)
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
    track: Annotated[str, typer.Option(help="Of one track alone.", show_default=False)] = "",
    data: Data = None,
) -> None:
    """Queue every submission that this version of striate has not scored; boards change at once when all are done."""
    place = place_of(folder, data)
    from striate.portal.running.prepare import open_portal

    open_portal(place)
    from striate.competition.commitment import scorer
    from striate.errors import InputError
    from striate.portal.competition import competition
    from striate.portal.organising.pages import score_again

    known = sorted({each.track.name for each in competition().boards.values()})
    if track and track not in known:
        raise InputError(f"There is no track {track!r}; there are {', '.join(known)}.")
    queued = score_again(None, version=scorer(), track=track)
    print(f"queued {queued} submissions to be scored by {scorer()}; /organise/ shows how far they are")


def _passphrase(file: Path | None, *, new: bool = False) -> str:
    from striate.competition.passphrases import passphrase

    def ask() -> str:
        return str(typer.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=new, err=True))

    return passphrase(file, ask if sys.stdin.isatty() else None)
