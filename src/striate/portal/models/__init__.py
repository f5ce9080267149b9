"""What the portal remembers."""

from striate.portal.models.announcements import Announcement
from striate.portal.models.audit import AuditEnd, AuditEntry
from striate.portal.models.entries import Card
from striate.portal.models.hosting import Acceptance, MaintenanceWindow
from striate.portal.models.jobs import Job
from striate.portal.models.people import Attempt, Membership, Team, Token, User
from striate.portal.models.scores import Publication, Score, Standing
from striate.portal.models.snapshots import (
    Arrival,
    Content,
    Description,
    Doi,
    DoiRequest,
    Snapshot,
    SnapshotFile,
    Withdrawal,
)
from striate.portal.models.submissions import Chain, Link, Part, State, Submission, Transition, Upload
from striate.portal.models.workers import Worker

__all__ = [
    "Acceptance",
    "Announcement",
    "Arrival",
    "Attempt",
    "AuditEnd",
    "AuditEntry",
    "Card",
    "Chain",
    "Content",
    "Description",
    "Doi",
    "DoiRequest",
    "Job",
    "Link",
    "MaintenanceWindow",
    "Membership",
    "Part",
    "Publication",
    "Score",
    "Snapshot",
    "SnapshotFile",
    "Standing",
    "State",
    "Submission",
    "Team",
    "Token",
    "Transition",
    "Upload",
    "User",
    "Withdrawal",
    "Worker",
]
