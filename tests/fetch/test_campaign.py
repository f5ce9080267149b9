"""At least 500 downloads under faults and kills end with every file whole, and none ever wrong."""

import pytest

from tests.fetch.campaign import campaign


@pytest.mark.slow
def test_a_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    tally = campaign(500, seed=2026)
    with capsys.disabled():
        print(f"\nfault campaign: {tally}")
    assert tally.downloads >= 500
    assert tally.wrong == []
    assert tally.kills > 0
    assert len(tally.faults) > 10
