"""The commands ``competition new``, ``build``, ``audit``, ``commit``, ``receipt``, ``score``, ``close`` and ``verify``."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from striate.cli.app import COMPETITIONS, app

if TYPE_CHECKING:
    from striate.competition import BoardResult, Results, RowResult, Vault
    from striate.recordings.checks.report import Finding

console = Console(highlight=False)
competition = typer.Typer(
    help="Build a competition from complete recordings, run it, and determine the winners.", no_args_is_help=True
)
app.add_typer(competition, name="competition", rich_help_panel=COMPETITIONS)

Folder = Annotated[Path, typer.Argument(help="Public folder of the competition.", show_default=False)]
VaultPath = Annotated[Path, typer.Option(help="Vault of the competition.", show_default=False)]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File whose first line is the passphrase of the vault. Default: STRIATE_PASSPHRASE, or a prompt."
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        help="Use this time instead of the current one, such as 2026-03-01T12:00:00Z: for rehearsals, and for submissions received in another way.",
        show_default=False,
    ),
]
Store = Annotated[
    Path, typer.Option(help="Folder that stores submissions, outside of the competition folder.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


@competition.command("new")
def new(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("competition.toml"),
    template: Annotated[
        str, typer.Option(help="sensorium2022: two tracks and five pre-training recordings; own: one recording.")
    ] = "sensorium2022",
    session: Annotated[
        str | None,
        typer.Option(help="With --template own: session of the recording, such as 501-1-3.", show_default=False),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="With --template own: benchmark of the recording, a name or a TOML file. Default: sensorium2022.",
            show_default=False,
        ),
    ] = None,
    starts: Annotated[
        str | None, typer.Option(help="First day, such as 2026-03-01; today if not given.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented competition.toml as a starting point."""
    from striate._internal.atomic_write import atomic_write
    from striate.competition import template as rules_template

    text = rules_template(template, starts=_moment(starts), session=session, benchmark=benchmark)
    with atomic_write(path, overwrite=overwrite) as aside:
        aside.write_text(text, encoding="utf-8")
    _say(f"wrote {path}: edit it, then: striate competition build {path} RECORDINGS --out PUBLIC --secrets SECRET")


@competition.command("build")
def build(
    rules: Annotated[Path, typer.Argument(help="The competition.toml.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Public folder to create.", show_default=False)],
    secrets: Annotated[
        Path,
        typer.Option(
            help="Folder for the live truth, the vault and figures of the split, outside of --out.", show_default=False
        ),
    ],
    recordings: Annotated[
        list[str] | None,
        typer.Argument(
            help="All recordings named in the rules, without withheld data: zips or folders.", show_default=False
        ),
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate the recordings, with a seed of 128 random bits.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="With --simulate: setting of the simulation, such as neurons=100; repeatable.",
            metavar="<key=value>",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Build the public folder, the live truth and the vault of a competition from complete recordings.

    Nothing is written if the rules and the recordings do not match. The next step is striate competition audit.
    """
    from striate.competition import build as build_competition
    from striate.competition import read_rules, simulated
    from striate.competition.passphrases import strong_enough
    from striate.errors import InputError

    if simulate == bool(recordings):
        raise InputError("Give the recordings that the rules name, or --simulate (and not both).")
    if set_ and not simulate:
        raise InputError("--set chooses how recordings are simulated: give it with --simulate.")
    checked, _ = read_rules(rules, open_benchmark=True)
    passphrase = strong_enough(_passphrase(passphrase_file, new=True))
    sources: Any = simulated(checked, _settings(set_ or [])) if simulate else recordings
    made = build_competition(rules, sources, out, secrets, passphrase)
    table = Table(title=f"{checked.title}: built", title_justify="left")
    for column in ("track", "recording", "withheld", "live", "final", "split: p"):
        table.add_column(column, justify="right" if column in ("live", "final", "split: p") else "left")
    for track in checked.tracks:
        balance = made.balance[track.name]
        images = next(iter(balance.features.values()))
        hidden = ", ".join(("test responses", "order", *track.withhold))
        table.add_row(
            track.name, track.session, hidden, str(len(images.live)), str(len(images.final)), f"{balance.p:.2f}"
        )
    console.print(table)
    _say(f"to publish: {made.folder}")
    _say(f"for whoever scores: {made.live_truth}")
    _say(f"for nobody before the close: {made.vault} (its passphrase is nowhere; without it nothing can be closed)")
    _say(f"look at the split: {', '.join(str(path) for path in made.evidence.values())}")
    _say(f"now: striate competition audit {made.folder} --vault {made.vault}")


@competition.command("audit")
def audit(
    folder: Annotated[Path, typer.Argument(help="Public folder of a competition, or one archive.", show_default=False)],
    vault: Annotated[
        Path | None,
        typer.Option(help="Vault of the competition, to search for its withheld data, too.", show_default=False),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Search public files for leaks of withheld data: without the vault as an outsider could, with the vault for the data itself.

    The exit status is 1 if there is a warning or an error.
    """
    from striate.competition import audit as audit_competition

    opened = read_vault(vault, passphrase_file) if vault is not None else None
    report = audit_competition(folder, opened)
    serious = [finding for finding in report if finding.severity != "note"]
    if as_json:
        print(report.to_json())
    else:
        for finding in report:
            _print_finding(finding)
        counts = ", ".join(
            f"{len(report.with_severity(s))} {s}{'' if len(report.with_severity(s)) == 1 else 's'}" for s in _COLOURS
        )
        verdict = "[bold red]leaks[/]" if serious else "[bold green]clean[/]"
        whose = "with the vault" if opened else "as an outsider"
        console.print(f"{escape(report.name)}: {verdict} {whose} ({counts})", soft_wrap=True)
    if serious:
        raise typer.Exit(1)


def _print_finding(finding: "Finding") -> None:
    colour = _COLOURS[finding.severity]
    console.print(f"[{colour}]{finding.severity}[/] [bold]{finding.rule}[/] {escape(finding.file)}", soft_wrap=True)
    console.print(f"    {escape(finding.message)}", soft_wrap=True)
    if finding.fix:
        console.print(f"    [italic]{escape(finding.fix)}[/]", soft_wrap=True)


@competition.command("commit")
def commit(folder: Folder, vault: VaultPath, passphrase_file: PassphraseFile = None, at: At = None) -> None:
    """Write hashes of all secret files (the commitment) to the public folder, before the competition starts."""
    from striate.competition import commit as commit_to
    from striate.competition.commitment import FILE
    from striate.competition.manifest import sha256_of

    made = commit_to(folder, read_vault(vault, passphrase_file), at=_moment(at))
    _say(f"wrote {folder / FILE}: {len(made.digests)} commitments")
    if made.late:
        _say("the first phase has begun already, and the commitment says so")
    _say(f"publish its hash elsewhere, too: {sha256_of(folder / FILE)}")


@competition.command("receipt")
def receipt(
    folder: Folder,
    submission: Annotated[
        Path | None, typer.Argument(help="A native submission (Parquet).", show_default=False)
    ] = None,
    team: Annotated[str, typer.Option(help="Name of the team.", show_default=False)] = "",
    store: Annotated[
        Path | None,
        typer.Option(help="Folder that stores submissions, outside of the competition folder.", show_default=False),
    ] = None,
    choose: Annotated[
        int | None,
        typer.Option(
            help="Instead of submitting: number of the receipt whose submission counts in the final ranking.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[bool, typer.Option("--baseline", help="The team is a baseline named in the rules.")] = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Record a submission, or the choice of one for the final ranking, and print its receipt in the public chain of receipts."""
    from striate.competition import choose as choose_submission
    from striate.competition import submit
    from striate.errors import InputError

    if not team:
        raise InputError("A receipt is given to a team: name it (--team).")
    if (submission is None) == (choose is None):
        raise InputError("Give a submission, or the number of a receipt (--choose), and not both.")
    if choose is not None:
        given = choose_submission(folder, team, choose, at=_moment(at))
    else:
        if store is None:
            raise InputError("Say where submissions are kept (--store), outside of the competition's folder.")
        assert submission is not None
        given = submit(folder, submission, team, store, at=_moment(at), baseline=baseline)
    if as_json:
        print(given.model_dump_json())
        return
    what = f"choice of receipt {given.chosen}" if given.kind == "choice" else f"submission {given.sha256[:16]}"
    _say(f"receipt {given.number}: {team}, {given.track}, {given.protocol}, {given.at.isoformat(timespec='seconds')}")
    _say(f"  {what}; chain {given.digest}")


@competition.command("score")
def score(
    submission: Annotated[Path, typer.Argument(help="Submission file.", show_default=False)],
    live_truth: Annotated[Path, typer.Argument(help="Live truth of the competition.", show_default=False)],
    bootstrap: Annotated[
        int | None,
        typer.Option(help="Number of resamples of the images. Default: that of the rules.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the scorecard as JSON.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Score a submission against the live truth, without recording it."""
    from striate.competition import score_live
    from striate.competition.manifest import require_new
    from striate.metrics.registered import metric_label
    from striate.metrics.score_summary import missing_score_text

    if out is not None:
        require_new(out)
    live = score_live(submission, live_truth, bootstrap=bootstrap)
    if out is not None:
        live.scorecard.write(out)
    ranking, metric = live.ranking, live.board.track.metric
    if as_json:
        said = {
            "track": live.board.track.name,
            "protocol": live.board.protocol,
            "metric": metric,
            "score": ranking.mean,
        }
        print(json.dumps({**said, "scorecard": live.scorecard.summary()}, ensure_ascii=False))
        return
    value = missing_score_text(ranking.reason) if ranking.mean is None else f"{ranking.mean:.4f}"
    if ranking.interval is not None:
        value += f" [{ranking.interval.low:.4f}, {ranking.interval.high:.4f}]"
    _say(f"{live.board}: {metric_label(metric)} on the live test {value}")


@competition.command("close")
def close(
    folder: Folder,
    vault: VaultPath,
    store: Store,
    out: Annotated[Path, typer.Option(help="Folder to create for the results.", show_default=False)],
    release: Annotated[
        bool,
        typer.Option(
            "--release", help="Include truths, keys and seed in the results, so that anyone can reproduce them."
        ),
    ] = False,
    passphrase_file: PassphraseFile = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Score the final test, rank the teams of every board, and write the winners and the evidence."""
    from striate.competition import close as close_competition

    results = close_competition(folder, read_vault(vault, passphrase_file), store, out, at=_moment(at), release=release)
    if as_json:
        print(results.model_dump_json(indent=1))
        return
    for board in results.boards:
        console.print(_board_table(board, results))
    for board in results.boards:
        won = " and ".join(board.winners) if board.winners else "nobody"
        _say(f"{board.track}, {board.protocol}: {won} won")
    for board in results.boards:
        for teams in board.same_scores:
            _say(
                f"{board.track}, {board.protocol}: {', '.join(teams[:-1])} and {teams[-1]} have the same score to the last digit, so "
                "perhaps the same predictions: look at their submissions before you publish the results"
            )
    for each in results.disqualified:
        _say(f"left out: {each.team}, disqualified since {each.at.isoformat(timespec='minutes')}: {each.why}")
    _say(f"wrote {out}; now: striate competition verify {folder} --results {out}")


def _board_table(board: "BoardResult", results: "Results") -> Table:
    from striate.metrics.registered import metric_label
    from striate.metrics.score_summary import ceilings_by_metric
    from striate.report import ceiling_description

    table = Table(title=f"{board.track}, {board.protocol}", title_justify="left", title_style="bold")
    columns = (
        "rank",
        "band",
        "team",
        metric_label(board.metric),
        f"{100 * results.ranking.level:g} % interval",
        "behind the best",
        "live",
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "team" else "right")
    for row in board.rows:
        table.add_row(*_board_row(row))
    limit = ceilings_by_metric(board.ceilings).get(board.metric)
    if board.rows and limit is not None:
        table.add_section()
        table.add_row("", "", "ceiling (image alone)", f"{limit:.4f}", "", "", "")
        table.caption, table.caption_justify = ceiling_description(board.image_alone), "left"
    return table


def _board_row(row: "RowResult") -> tuple[str, ...]:
    from striate.metrics.score_summary import TOO_FEW_IMAGES, is_too_few_images

    interval = "" if row.interval is None else f"{row.interval.low:.4f} – {row.interval.high:.4f}"
    behind = "" if row.behind is None else f"{row.behind.value:.4f} [{row.behind.low:.4f}, {row.behind.high:.4f}]"
    missing = TOO_FEW_IMAGES if is_too_few_images(row.reason) else "not defined"
    score = missing if row.score is None else f"{row.score:.4f}"
    live = "" if row.live_score is None else f"{row.live_score:.4f}"
    rank = "–" if row.rank is None else str(row.rank)
    return rank, str(row.band or ""), escape(row.team), score, interval, behind, live


@competition.command("verify")
def verify(
    folder: Folder,
    results: Annotated[Path | None, typer.Option(help="Folder of the results.", show_default=False)] = None,
    truths: Annotated[
        Path | None,
        typer.Option(help="Folder of the released truths, if they are not part of the results.", show_default=False),
    ] = None,
    receipt_: Annotated[
        list[Path] | None,
        typer.Option("--receipt", help="JSON file of a receipt that you received; repeatable.", show_default=False),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="Digest of the chain that you noted earlier.", show_default=False)
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="For organisers: folder that stores submissions.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify that nothing has changed since the commitment, and that the results are correct. The exit status is 1 if not."""
    from striate._internal.safe_parsing import read_limited
    from striate.competition import verify as verify_competition
    from striate.competition.receipts import parsed
    from striate.errors import InputError

    given = []
    for file in receipt_ or []:
        try:
            given.append(parsed(read_limited(file).decode("utf-8").strip(), str(file)))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read ({error}).") from error
    found = verify_competition(folder, results=results, truths=truths, receipts=given, head=head, store=store)
    if as_json:
        print(json.dumps(found.summary(), indent=1, ensure_ascii=False))
    else:
        words = {True: "[green]holds[/]", False: "[bold red]does not hold[/]", None: "[yellow]not yet[/]"}
        title = f"{folder}: {'verified' if found.ok else 'not everything holds'}"
        table = Table(title=title, title_justify="left")
        for column in ("what", "", "detail"):
            table.add_column(column)
        for check in found.checks:
            table.add_row(escape(check.what), words[check.ok], escape(check.detail))
        console.print(table)
    if not found.ok:
        raise typer.Exit(1)


def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _moment(text: str | None) -> datetime:
    """A moment that was typed; now if there is none. A day begins at 0:00 UTC."""
    from striate.errors import InputError

    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no moment: write 2026-03-01, or 2026-03-01T12:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _passphrase(file: Path | None, *, new: bool = False) -> str:
    import sys

    from striate.competition.passphrases import passphrase

    def ask() -> str:
        return str(typer.prompt("Passphrase of the vault", hide_input=True, confirmation_prompt=new, err=True))

    return passphrase(file, ask if sys.stdin.isatty() else None)


def read_vault(path: Path, passphrase_file: Path | None) -> "Vault":
    """Open a vault with the passphrase that was given, or is asked for."""
    from striate.competition import Vault
    from striate.errors import InputError

    if not path.is_file():
        raise InputError(f"There is no vault at {path}: give the file that was built with the competition.")
    return Vault.read(path, _passphrase(passphrase_file))


def _settings(changes: list[str]) -> dict[str, object]:
    """Settings of a simulation, written as in TOML."""
    from striate._internal.safe_parsing import parse_toml
    from striate.errors import InputError

    settings: dict[str, object] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        try:
            settings[key.strip()] = parse_toml(f"value = {value}")["value"]
        except InputError:
            equals = ""
        if not equals:
            raise InputError(f"--set {change} is not key=value with a value as in TOML, such as neurons=100.")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
