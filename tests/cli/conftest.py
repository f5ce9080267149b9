"""A small competition, and the commands about it."""

import pytest
from tests.competition.examples import built
from tests.submissions.command import run

from striate.competition import sealed


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "COST", 12)
        return built(tmp_path_factory.mktemp("competition"))


@pytest.fixture
def striate(capsys, monkeypatch):
    """Run a command of the group; what it prints, if it ends with the status that is expected."""

    def call(*arguments, status=0):
        code, out, err = run(capsys, monkeypatch, "competition", *arguments)
        assert code == status, (out, err)
        assert "Traceback" not in out + err
        return out if status == 0 else out + err

    return call
