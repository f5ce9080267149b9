"""Competitions: from full recordings to a fair competition, and from submissions to its winner.

Rules (``competition.toml``), withholding (`build`), the hunt for leaks (`audit`), commitments and receipts that nobody can
change unseen (`commit`, `Receipts`), live scores (`score_live`), and the end (`close`, `verify`).
"""

from typing import TYPE_CHECKING

from striate.lazy import import_when_used

if TYPE_CHECKING:
    from striate.competition.audit import audit as audit
    from striate.competition.boards import Board as Board
    from striate.competition.boards import board_of as board_of
    from striate.competition.build import Built as Built
    from striate.competition.build import build as build
    from striate.competition.build import simulated as simulated
    from striate.competition.close import close as close
    from striate.competition.commitment import Commitment as Commitment
    from striate.competition.commitment import commit as commit
    from striate.competition.deciding import amend as amend
    from striate.competition.deciding import disqualify as disqualify
    from striate.competition.deciding import reinstate as reinstate
    from striate.competition.in_force import Disqualified as Disqualified
    from striate.competition.in_force import InForce as InForce
    from striate.competition.in_force import Move as Move
    from striate.competition.leaks import LEAKS as LEAKS
    from striate.competition.live import LiveTruth as LiveTruth
    from striate.competition.notices import Amendment as Amendment
    from striate.competition.notices import Disqualification as Disqualification
    from striate.competition.ranking import Entrant as Entrant
    from striate.competition.ranking import Ranked as Ranked
    from striate.competition.ranking import Row as Row
    from striate.competition.ranking import rank as rank
    from striate.competition.receipts import Receipt as Receipt
    from striate.competition.receipts import Receipts as Receipts
    from striate.competition.results import BoardResult as BoardResult
    from striate.competition.results import Results as Results
    from striate.competition.results import RowResult as RowResult
    from striate.competition.rules import Rules as Rules
    from striate.competition.rules import parse_rules as parse_rules
    from striate.competition.rules import read_rules as read_rules
    from striate.competition.scoring import LiveScore as LiveScore
    from striate.competition.scoring import score_live as score_live
    from striate.competition.submit import choose as choose
    from striate.competition.submit import require_allowed as require_allowed
    from striate.competition.submit import submit as submit
    from striate.competition.template import TEMPLATES as TEMPLATES
    from striate.competition.template import template as template
    from striate.competition.vault import Vault as Vault
    from striate.competition.verify import Check as Check
    from striate.competition.verify import Verification as Verification
    from striate.competition.verify import verify as verify

__all__ = [
    "LEAKS",
    "TEMPLATES",
    "Amendment",
    "Board",
    "BoardResult",
    "Built",
    "Check",
    "Commitment",
    "Disqualification",
    "Disqualified",
    "Entrant",
    "InForce",
    "LiveScore",
    "LiveTruth",
    "Move",
    "Ranked",
    "Receipt",
    "Receipts",
    "Results",
    "Row",
    "RowResult",
    "Rules",
    "Vault",
    "Verification",
    "amend",
    "audit",
    "board_of",
    "build",
    "choose",
    "close",
    "commit",
    "disqualify",
    "parse_rules",
    "rank",
    "read_rules",
    "reinstate",
    "require_allowed",
    "score_live",
    "simulated",
    "submit",
    "template",
    "verify",
]

import_when_used(
    __name__,
    {
        "audit": "striate.competition.audit.audit",
        "Built": "striate.competition.build.Built",
        "build": "striate.competition.build.build",
        "simulated": "striate.competition.build.simulated",
        "close": "striate.competition.close.close",
        "Commitment": "striate.competition.commitment.Commitment",
        "commit": "striate.competition.commitment.commit",
        "amend": "striate.competition.deciding.amend",
        "disqualify": "striate.competition.deciding.disqualify",
        "reinstate": "striate.competition.deciding.reinstate",
        "Disqualified": "striate.competition.in_force.Disqualified",
        "InForce": "striate.competition.in_force.InForce",
        "Move": "striate.competition.in_force.Move",
        "Amendment": "striate.competition.notices.Amendment",
        "Disqualification": "striate.competition.notices.Disqualification",
        "LEAKS": "striate.competition.leaks.LEAKS",
        "LiveTruth": "striate.competition.live.LiveTruth",
        "Entrant": "striate.competition.ranking.Entrant",
        "Ranked": "striate.competition.ranking.Ranked",
        "Row": "striate.competition.ranking.Row",
        "rank": "striate.competition.ranking.rank",
        "Receipt": "striate.competition.receipts.Receipt",
        "Receipts": "striate.competition.receipts.Receipts",
        "BoardResult": "striate.competition.results.BoardResult",
        "Results": "striate.competition.results.Results",
        "RowResult": "striate.competition.results.RowResult",
        "Rules": "striate.competition.rules.Rules",
        "parse_rules": "striate.competition.rules.parse_rules",
        "read_rules": "striate.competition.rules.read_rules",
        "LiveScore": "striate.competition.scoring.LiveScore",
        "score_live": "striate.competition.scoring.score_live",
        "Board": "striate.competition.boards.Board",
        "board_of": "striate.competition.boards.board_of",
        "choose": "striate.competition.submit.choose",
        "require_allowed": "striate.competition.submit.require_allowed",
        "submit": "striate.competition.submit.submit",
        "TEMPLATES": "striate.competition.template.TEMPLATES",
        "template": "striate.competition.template.template",
        "Vault": "striate.competition.vault.Vault",
        "Check": "striate.competition.verify.Check",
        "Verification": "striate.competition.verify.Verification",
        "verify": "striate.competition.verify.verify",
    },
)
