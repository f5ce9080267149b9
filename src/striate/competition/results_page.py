"""The results drawn and told: a picture for each board, and one page that needs nothing but itself."""

from datetime import UTC, datetime

from matplotlib.figure import Figure

from striate.competition.in_force import Move
from striate.competition.results import BoardResult, Results, RowResult
from striate.report.page import Page, facts, image, table
from striate.report.style import COLOURS, GREY, INK, look
from striate.submissions.scorecard import LABELS

_MOST_ROWS = 60


def board_figure(board: BoardResult, level: float) -> Figure:
    """Draw a board: each row's final score with its interval, coloured by band, and its live score.

    Parameters
    ----------
    board
        The results.
    level
        Of the intervals.
    """
    rows = [row for row in board.rows if row.score is not None][:_MOST_ROWS]
    with look():
        figure = Figure(figsize=(8.4, 0.36 * max(len(rows), 1) + 1.5))
        axes = figure.subplots()
        for place, row in enumerate(rows):
            colour = GREY if row.band is None else COLOURS[(row.band - 1) % len(COLOURS)]
            if row.interval is not None:
                ends = [row.interval.low, row.interval.high]
                axes.plot(ends, [place, place], color=colour, lw=3, alpha=0.5, solid_capstyle="round")
            axes.plot([row.score or 0.0], [place], "s" if row.baseline else "o", color=colour, ms=6)
            if row.live_score is not None:
                axes.plot(row.live_score, place, "|", color=INK, ms=9, mew=1.2)
        for place in range(1, len(rows)):
            above, below = rows[place - 1].band, rows[place].band
            if above is not None and below is not None and above != below:
                axes.axhline(place - 0.5, color=GREY, lw=0.6, ls=":")
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.6)
        axes.margins(x=0.06)
        axes.set_xlabel(
            f"{LABELS[board.metric]} on the final test, with {100 * level:g} % intervals   (bar: live test; square: baseline)"
        )
        axes.set_title(f"{board.track}, {board.protocol}: colours are bands")
        return figure


def _label(row: RowResult) -> str:
    return row.team if row.rank is None else f"{row.rank}   {row.team}"


def page(results: Results) -> str:
    """Tell the results on one page of HTML."""
    winners = [f"{board.track}, {board.protocol}: {_winners(board)}." for board in results.boards if board.rows]
    told = Page(f"{results.title}: results", winners or ["Nobody has submitted."])
    if results.moves:
        told.section(
            "Phases that were moved",
            "While the competition was running the organiser decided:",
            facts({f"{_boundary(move)} (notice {move.notice})": _move(move) for move in results.moves}),
        )
    if results.disqualified:
        told.section(
            "Disqualified teams",
            "They are on no board. Their receipts stay in the chain.",
            facts(
                {
                    each.team: f"since {_day(each.at)} (notice {each.notice}): {each.why}"
                    for each in results.disqualified
                }
            ),
        )
    for board in results.boards:
        if not board.rows:
            told.section(f"{board.track}, {board.protocol}", "Nobody has submitted to this board.")
            continue
        description = f"final scores of {', '.join(row.team for row in board.rows)}"
        told.section(
            f"{board.track}, {board.protocol}",
            f"Ranked by {LABELS[board.metric]}, the mean over neurons on the final test. In brackets: "
            f"{100 * results.ranking.level:g} % intervals from {results.ranking.resamples} resamples of the images with all their "
            "repeats. Rows of one band cannot be told apart from its best row: the interval of their difference, from the same "
            "resamples, contains 0.",
            table(
                ["team", "rank", "band", LABELS[board.metric], "behind the best", "live test", "receipt"],
                [_cells(row) for row in board.rows],
                best=0 if board.rows[0].rank == 1 else None,
            ),
            image(board_figure(board, results.ranking.level), description),
        )
    said = f"Commitment {results.commitment[:16]}, chain of receipts {results.chain[:16]}. Scored by {results.scorer}."
    return told.render(said)


def _boundary(move: Move) -> str:
    return f"{'begin' if move.boundary == 'starts' else 'end'} of {move.phase}"


def _move(move: Move) -> str:
    return f"{_day(move.after)} instead of {_day(move.before)}, decided on {_day(move.at)}: {move.why}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _winners(board: BoardResult) -> str:
    if not board.winners:
        return "nobody has a rank"
    best = board.rows[0] if board.rows[0].rank == 1 else next(row for row in board.rows if row.rank == 1)
    apart = [row for row in board.rows if row.band == 1 and row.team not in board.winners]
    said = f"{' and '.join(board.winners)} {'has' if len(board.winners) == 1 else 'have'} won with {best.score:.4f}"
    return said + (f" (not told apart from {', '.join(row.team for row in apart)})" if apart else "")


def _cells(row: RowResult) -> list[str]:
    score = f"–|{row.reason}" if row.score is None else f"{row.score:.4f}"
    if row.interval is not None:
        score += f"|[{row.interval.low:.4f}, {row.interval.high:.4f}]"
    behind = "" if row.behind is None else f"{row.behind.value:.4f}|[{row.behind.low:.4f}, {row.behind.high:.4f}]"
    live = "–" if row.live_score is None else f"{row.live_score:.4f}"
    rank = "baseline" if row.baseline else str(row.rank or "–")
    return [row.team, rank, str(row.band or ""), score, behind, live, str(row.receipt)]
