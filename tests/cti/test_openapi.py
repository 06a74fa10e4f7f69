from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from cti.openapi import document
from cti.routes import ROUTES

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall


@pytest.fixture
def spec() -> dict[str, Any]:
    return document(ROUTES, "1.2.3")


def test_the_document_is_valid_openapi_3_1(spec: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(spec).validate()
    assert spec["info"]["version"] == "1.2.3"


def test_every_route_is_in_it(spec: dict[str, Any]) -> None:
    assert {(m.upper(), path) for path, methods in spec["paths"].items() for m in methods} == {
        (route.method, route.path) for route in ROUTES
    }
    assert len({o["operationId"] for methods in spec["paths"].values() for o in methods.values()}) == len(ROUTES)


def test_bodies_and_problems_follow_from_the_table(spec: dict[str, Any]) -> None:
    post = spec["paths"]["/v1/web-sessions"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/WebSessionPost")
    assert set(post["responses"]) == {"200", "201", "400", "401", "403", "413", "415", "422"}
    assert "application/problem+json" in post["responses"]["422"]["content"]
    assert spec["paths"]["/v1/agents/{name}/not-ready"]["post"]["requestBody"]["required"] is False
    assert "security" not in spec["paths"]["/healthz"]["get"]


async def test_answers_are_as_described(api: Api, make_call: type[FakeCall]) -> None:
    _, served, _ = await api.call("GET", "/v1/openapi.json", None)
    api.floor.switch.live.append(make_call())
    session = {"id": "session-1", "basket": {"amount": 5}, "phone_numbers": ["0612345678"]}
    asked = [
        ("POST", "/v1/web-sessions", "/v1/web-sessions", session),
        ("POST", "/v1/web-sessions", "/v1/web-sessions", session),
        ("POST", "/v1/web-sessions", "/v1/web-sessions", {"id": 0}),
        ("GET", "/v1/web-sessions/session-1", "/v1/web-sessions/{id}", None),
        ("POST", "/v1/web-sessions/session-1/code", "/v1/web-sessions/{id}/code", None),
        ("GET", "/v1/calls", "/v1/calls", None),
        ("GET", "/v1/queues", "/v1/queues", None),
        ("GET", "/v1/agents", "/v1/agents", None),
        ("GET", "/v1/agents/marie", "/v1/agents/{name}", None),
        ("GET", "/v1/agents/nobody", "/v1/agents/{name}", None),
        ("POST", "/v1/agents/marie/login", "/v1/agents/{name}/login", None),
        ("POST", "/v1/agents/marie/login", "/v1/agents/{name}/login", None),
        ("GET", "/v1/cdrs", "/v1/cdrs", None),
        ("GET", "/v1/whoami", "/v1/whoami", None),
        ("GET", "/healthz", "/healthz", None),
    ]
    statuses = []
    for method, path, template, body in asked:
        status, answer, headers = await api.call(method, path, json=body) if body else await api.call(method, path)
        described = served["paths"][template][method.lower()]["responses"][str(status)]
        schema = described["content"][headers["Content-Type"].partition(";")[0]]["schema"]
        jsonschema.Draft202012Validator({"components": served["components"], **schema}).validate(answer)
        statuses.append(status)
    assert statuses == [201, 200, 422, 200, 200, 200, 200, 200, 200, 404, 200, 409, 200, 200, 200]
