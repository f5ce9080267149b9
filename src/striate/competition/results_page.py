"""The results drawn and told: a picture for each board, and one page that needs nothing but itself."""

from datetime import UTC, datetime

from matplotlib.figure import Figure

from striate.competition.in_force import Move
from striate.competition.results import BoardResult, Results, RowResult
from striate.metrics.registered import metric_label, registered_info
from striate.metrics.score_summary import TOO_FEW_IMAGES, ceilings_by_metric, is_too_few_images, missing_score_text
from striate.report import ceiling_description
from striate.report.html_helpers import Page, facts, image, table
from striate.report.plot_style import COLOURS, GREY, INK, use_plot_style
from striate.submissions.scorecard import IntervalScore

_MOST_ROWS = 60
_CEILING = "ceiling (image alone)"
_NO_RANK = "A row with too few images has no rank."
_MEANS_TOO_FEW = "Too few images: an interval is wider than the distance from its score to a perfect model, so the score says nothing."


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
    with use_plot_style():
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
        limit = ceilings_by_metric(board.ceilings).get(board.metric)
        if limit is not None and rows:
            axes.axvline(limit, color=INK, lw=1, ls="--")
            axes.annotate(
                _CEILING,
                (limit, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(-4, -3),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=8,
                color=INK,
            )
        for place in range(1, len(rows)):
            above, below = rows[place - 1].band, rows[place].band
            if above is not None and below is not None and above != below:
                axes.axhline(place - 0.5, color=GREY, lw=0.6, ls=":")
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
        axes.set_ylim(len(rows) - 0.5, -0.6)
        axes.margins(x=0.06)
        axes.set_xlabel(
            f"{metric_label(board.metric)} on the final test, with {100 * level:g} % intervals   (bar: live test; square: baseline)"
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
            f"Ranked by {metric_label(board.metric)}, the mean over neurons on the final test{_direction(board.metric)}. In brackets: "
            f"{100 * results.ranking.level:g} % intervals from {results.ranking.resamples} resamples of the images with all their "
            "repeats. Rows of one band cannot be told apart from its best row: the interval of their difference, from the same "
            f"resamples, contains 0.{_notes(board)}",
            _ranking(board),
            _metrics(board),
            image(board_figure(board, results.ranking.level), description),
        )
    said = f"Commitment {results.commitment[:16]}, chain of receipts {results.chain[:16]}. Scored by {results.scorer}."
    return told.render(said)


def _direction(metric: str) -> str:
    return "" if registered_info(metric).higher_is_better else "; lower values are better"


def _notes(board: BoardResult) -> str:
    """Say what the ceilings bound, and what too few images mean."""
    said = [ceiling_description(board.image_alone)] if _limits(board) else []
    oracle = board.ceilings["jackknife_oracle"]
    said += [] if oracle is None else [f"The oracle predictor has a single-trial correlation of {oracle:.4f}."]
    said += (
        [_MEANS_TOO_FEW] if any(is_too_few_images(m.reason) for row in board.rows for m in row.metrics.values()) else []
    )
    said += [_NO_RANK] if any(is_too_few_images(row.reason) for row in board.rows) else []
    return "".join(f" {sentence}" for sentence in said)


def _limits(board: BoardResult) -> dict[str, float | None] | None:
    """Return the ceiling of each metric; None where none is known."""
    limits = ceilings_by_metric(board.ceilings)
    return limits if any(limit is not None for limit in limits.values()) else None


def _boundary(move: Move) -> str:
    return f"{'begin' if move.boundary == 'starts' else 'end'} of {move.phase}"


def _move(move: Move) -> str:
    return f"{_day(move.after)} instead of {_day(move.before)}, decided on {_day(move.at)}: {move.why}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _winners(board: BoardResult) -> str:
    if not board.winners:
        few = any(is_too_few_images(row.reason) for row in board.rows)
        return f"nobody has a rank{f': too few images for {metric_label(board.metric)}' if few else ''}"
    best = board.rows[0] if board.rows[0].rank == 1 else next(row for row in board.rows if row.rank == 1)
    apart = [row for row in board.rows if row.band == 1 and row.team not in board.winners]
    said = f"{' and '.join(board.winners)} {'has' if len(board.winners) == 1 else 'have'} won with {best.score:.4f}"
    return said + (f" (not told apart from {', '.join(row.team for row in apart)})" if apart else "")


def _ranking(board: BoardResult) -> str:
    """Write the rows, and above them the ceiling."""
    limits = _limits(board)
    rows = [_cells(row) for row in board.rows]
    if limits is not None:
        rows.insert(0, [_CEILING, "", "", _number(limits.get(board.metric)), "", "", ""])
    header = ["team", "rank", "band", metric_label(board.metric), "behind the best", "live test", "receipt"]
    return table(header, rows, best=_best(board, limits))


def _metrics(board: BoardResult) -> str:
    """Write all metrics of the rows; what ranks stands first, then the others as on the live board."""
    limits = _limits(board)
    names = [board.metric, *(name for name in board.rows[0].metrics if name != board.metric)]
    rows = [
        [row.team, *(_with_ends(m.mean, m.interval, m.reason) for m in (row.metrics[name] for name in names))]
        for row in board.rows
    ]
    if limits is not None:
        rows.insert(0, [_CEILING, *(_number(limits.get(name)) for name in names)])
    return table(["all metrics", *(metric_label(name) for name in names)], rows, best=_best(board, limits))


def _best(board: BoardResult, limits: dict[str, float | None] | None) -> int | None:
    return int(limits is not None) if board.rows[0].rank == 1 else None


def _cells(row: RowResult) -> list[str]:
    score = _with_ends(row.score, row.interval, row.reason)
    behind = "" if row.behind is None else f"{row.behind.value:.4f}|[{row.behind.low:.4f}, {row.behind.high:.4f}]"
    rank = "baseline" if row.baseline else str(row.rank or "–")
    return [row.team, rank, str(row.band or ""), score, behind, _number(row.live_score), str(row.receipt)]


def _with_ends(mean: float | None, interval: IntervalScore | None, reason: str | None) -> str:
    if mean is None:
        return f"|{TOO_FEW_IMAGES}" if is_too_few_images(reason) else f"–|{missing_score_text(reason)}"
    return f"{mean:.4f}|[{interval.low:.4f}, {interval.high:.4f}]" if interval else f"{mean:.4f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
