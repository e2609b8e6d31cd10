"""The service against requests drawn from its own OpenAPI description, right and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from tests.app.fake_work import by_name

from monoform.app.queue import JobQueue, Limits
from monoform.app.service.offered import Offer
from monoform.app.service.routes import create_app


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    queue = JobQueue(Limits(grace=0.0, megabytes=1.0), function=by_name)
    app = create_app(queue, Offer(("inflate", "lift")))

    async def lasting(scope: Any, receive: Any, send: Any) -> None:
        """The service, which each case would start and stop."""
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    yield schemathesis.openapi.from_asgi("/openapi.json", lasting)
    queue.close()


CHECKED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
ROUTES = ["POST /reconstruct", "GET /jobs/{job_id}", "DELETE /jobs/{job_id}", "GET /jobs/{job_id}/result.zip"]
ROUTES += ["GET /jobs/{job_id}/files/{name}", "GET /", "GET /health"]


def test_all_routes_are_asked(described: Any) -> None:
    assert {found.ok().label for found in described.get_all_operations()} == set(ROUTES)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_is_one_that_is_described(described: Any, route: str, mode: GenerationMode) -> None:
    method, path = route.split()
    operation = described[path][method]
    if mode is GenerationMode.NEGATIVE and "{" not in path and method == "GET":
        return  # there is nothing to be wrong

    @settings(
        max_examples=20 if method == "POST" else 5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(checks=CHECKED)

    ask()
