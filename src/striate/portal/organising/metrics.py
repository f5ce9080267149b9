"""Numbers for Prometheus: read from the database when asked for, so that they are right however many processes there are."""

import os
import shutil
from collections.abc import Iterator

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from striate.portal.competition import place
from striate.portal.models import AuditEnd, Job, Link, Score, State, Submission, Team, User, Worker
from striate.portal.organising.counters import OWN
from striate.portal.organising.counting import FOLDER
from striate.portal.receiving import clock


class Portal(Collector):
    """What the database says."""

    def collect(self) -> Iterator[Metric]:
        """Ask it."""
        now = timezone.now()
        states = dict.fromkeys(State.values, 0) | dict(
            Submission.objects.order_by().values_list("state").annotate(Count("pk"))
        )
        yield _family("submissions", "Submissions by state.", "state", states)
        open_ = Job.objects.filter(done_at=None)
        waiting = dict.fromkeys(Job.Kind.values, 0) | dict(open_.order_by().values_list("kind").annotate(Count("pk")))
        yield _family("jobs", "Jobs that are not done, by kind.", "kind", waiting)
        due = open_.filter(due_at__lte=now).aggregate(first=Min("due_at"))["first"]
        oldest = (now - due).total_seconds() if due else 0.0
        yield _one("oldest_job_seconds", "How long the job that waits longest has been due.", oldest)
        yield _one("workers", "Workers that were seen within a minute.", Worker.there().count())
        yield _one("receipts", "Receipts in the chain.", Link.objects.count())
        yield _one("scores", "Scores, of all versions of the scorer.", Score.objects.count())
        yield _one("teams", "Teams.", Team.objects.count())
        yield _one("accounts", "Accounts that can sign in.", User.objects.filter(is_active=True).count())
        yield _one(
            "clock_trusted", "Whether the clock agrees with the chain of receipts and itself.", not clock.problem()
        )
        end = AuditEnd.objects.filter(pk=1).first()
        disk = shutil.disk_usage(place().data)
        yield _one("disk_bytes", "Size of the disk with the portal's folder.", disk.total)
        yield _one("disk_free_bytes", "What is free of it; below 0.3 GB nothing is taken.", disk.free)
        yield _one("audit_entries", "Entries of the audit log.", end.number if end else 0)


def written() -> bytes:
    """All numbers, as Prometheus reads them."""
    numbers = CollectorRegistry()
    numbers.register(Portal())
    if os.environ.get(FOLDER):
        counted = CollectorRegistry()
        multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    else:
        counted = OWN
    return generate_latest(numbers) + generate_latest(counted)


def _family(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    made = GaugeMetricFamily(f"striate_{name}", text, labels=(label,))
    for key, value in sorted(values.items()):
        made.add_metric((key,), value)
    return made


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"striate_{name}", text, value=value)
