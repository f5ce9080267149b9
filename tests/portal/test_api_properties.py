"""The API against its own description: whatever is sent, valid or not, the answer is one that is described, and never a fault."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.world import World

schemathesis = pytest.importorskip(
    "schemathesis", reason="the API is tested by schemathesis: pip install 'striate[dev]'"
)


@dataclass(frozen=True)
class Scene:
    """Calls of the API by their names, the numbers of what one has, and a token."""

    operations: dict[str, Any]
    known: dict[str, str]
    headers: dict[str, str]


@pytest.fixture(scope="module")
def described(portal: World) -> Iterator[Scene]:
    """The description of the API, as a participant with a submission, and a file on its way, meets it."""
    from django.core.wsgi import get_wsgi_application

    from striate.portal.models import Upload
    from striate.portal.receiving import uploads
    from striate.portal.running.prepare import _begin_chain

    _begin_chain()
    ada = portal.person("ada", team="Ada")
    sent = portal.scored(ada, portal.file(0.5))
    upload = uploads.begin(ada, filename="half.parquet", size=100, sha256="0" * 64, most=100)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    known = {
        "/api/v1/submissions/{number}": str(sent.pk),
        "/api/v1/submissions/{number}/card": str(sent.pk),
        "/api/v1/uploads/{number}": str(upload.pk),
    }
    operations = {each.ok().label: each.ok() for each in schema.get_all_operations()}
    yield Scene(operations, known, {"Authorization": f"Bearer {portal.token(ada)}"})
    assert Upload.objects.count() <= 5
    portal.empty()


OPERATIONS = (
    "GET /api/v1/competition",
    "GET /api/v1/keys",
    "POST /api/v1/uploads",
    "GET /api/v1/uploads",
    "GET /api/v1/uploads/{number}",
    "DELETE /api/v1/uploads/{number}",
    "PUT /api/v1/uploads/{number}",
    "POST /api/v1/submissions",
    "GET /api/v1/submissions",
    "GET /api/v1/submissions/{number}",
    "GET /api/v1/submissions/{number}/card",
    "PUT /api/v1/submissions/{number}/card",
    "GET /api/v1/data/versions",
    "POST /api/v1/data/missing",
    "POST /api/v1/data/contents",
    "PUT /api/v1/data/contents",
    "POST /api/v1/data/whole-contents",
    "POST /api/v1/data/versions",
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_is_described(described: Scene, label: str, mode: str) -> None:
    """All checks but that valid data are taken: a size may be valid, and more than the rules allow."""
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    from striate.portal.models import Attempt

    Attempt.objects.all().delete()  # wrong tokens are limited to 100 within 15 minutes, for all these tests together

    operation = described.operations[label]
    nothing_to_spoil = mode == "negative" and not (operation.path_parameters or operation.query or operation.body)
    if nothing_to_spoil:
        pytest.skip("it takes nothing that could be wrong")

    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)), st.booleans())
    def ask(case: Any, of_ones_own: bool) -> None:
        if of_ones_own and mode == "positive" and label.partition(" ")[2] in described.known:
            case.path_parameters["number"] = described.known[label.partition(" ")[2]]
        case.call_and_validate(headers=described.headers, excluded_checks=[positive_data_acceptance])

    ask()


def test_every_call_is_tried(described: Scene) -> None:
    assert set(described.operations) == set(OPERATIONS)
