"""Options that both campaigns have, and how either is started."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from striate.errors import StriateError


def options(name: str, about: str | None, **usual: Any) -> argparse.ArgumentParser:
    """Read what both campaigns can be told; each adds what is its own.

    Parameters
    ----------
    name
        Of the campaign: it is ``python -m benchmarks.portal.NAME``, and writes ``NAME.json``.
    about
        What it does.
    **usual
        Of ``teams``, ``limit``, ``trials``, ``neurons`` and ``workers``, what is taken where nothing is said.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.portal.{name}", description=about)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--teams", type=int, help="how many submit")
    parser.add_argument("--limit", type=int, help="submissions that a team has a day; some send more")
    parser.add_argument("--trials", type=int, help="trials of a file, both tiers together")
    parser.add_argument("--neurons", type=int, help="neurons of a file")
    parser.add_argument("--workers", type=int, help="how many workers score")
    parser.add_argument("--out", type=Path, default=Path(f"{name}.json"), help="the report")
    parser.add_argument("--log", type=Path, default=None, help="where to leave the portal's log")
    parser.set_defaults(**usual)
    return parser


def started(
    run: Callable[[argparse.Namespace], int], parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> int:
    """Run a campaign as the command line says; the exit status."""
    try:
        return run(parser.parse_args(arguments))
    except StriateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
