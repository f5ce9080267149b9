"""What the portal remembers."""

from striate.portal.models.hosting import Acceptance, MaintenanceWindow
from striate.portal.models.jobs import Job
from striate.portal.models.people import Attempt, Membership, Team, Token, User
from striate.portal.models.scores import Score, Standing
from striate.portal.models.snapshots import Content, Description, Doi, DoiRequest, Snapshot, SnapshotFile
from striate.portal.models.submissions import Chain, Link, State, Submission, Transition, Upload

__all__ = [
    "Acceptance",
    "Attempt",
    "Chain",
    "Content",
    "Description",
    "Doi",
    "DoiRequest",
    "Job",
    "Link",
    "MaintenanceWindow",
    "Membership",
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
]
