"""When results may be published."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from striate.competition import Results
from striate.errors import InputError
from tests.portal.notices.moves import closed
from tests.portal.world import World


@pytest.mark.slow
def test_results_are_not_published_while_receipts_may_still_come(world: World, tmp_path: Path) -> None:
    from striate.portal.boards.publish import publish
    from striate.portal.models import Publication, Submission

    closes = world.built.rules.closes
    with pytest.raises(InputError, match="taken until"):
        publish(tmp_path, at=closes - timedelta(seconds=1))
    soon = closes + timedelta(minutes=5)
    with pytest.raises(InputError, match=re.escape(f"can be published from {soon.isoformat()} on")):
        publish(tmp_path, at=soon - timedelta(seconds=1))
    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    Submission.objects.filter(pk=sent.pk).update(received_at=closes - timedelta(seconds=1))
    with pytest.raises(InputError, match=r"still being checked.*\(1 of them\)"):
        publish(tmp_path, at=soon)
    world.work()
    bundle = closed(world, tmp_path / "closed", soon)
    assert isinstance(publish(bundle, at=soon), Results)
    assert Publication.objects.count() == 1
