"""The OpenAPI 3.1 document, generated from the route table and the models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cti import models
from cti.routes import Query, Route

_REF = "#/components/schemas/{model}"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The whole document, JSON-able."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Plateau CTI API",
            "version": version,
            "summary": "Calls, queues, agents, web sessions and screen pops",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    used: dict[tuple[type[BaseModel], Any], None] = {(models.Problem, "serialization"): None}
    for route in routes:
        if route.body is not None:
            used[route.body, "validation"] = None
        used |= {(reply, "serialization"): None for reply in route.replies.values() if not isinstance(reply, str)}
    _, found = models_json_schema(list(used), ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": {str(status): _reply(status, reply) for status, reply in route.replies.items()},
    }
    parameters = [_path_parameter(name) for name in re.findall(r"{(\w+)}", route.path)]
    parameters += [_query_parameter(query) for query in route.query]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = {"$ref": _REF.format(model=route.body.__name__)}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": route.body_required, "content": content}
    if route.roles:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Roles: {', '.join(route.roles)}."
    for status in sorted(_problem_statuses(route)):
        operation["responses"][str(status)] = {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
    return operation


def _problem_statuses(route: Route) -> set[int]:
    statuses = set(route.problems)
    if route.roles:
        statuses |= {401, 403}
    if route.body is not None:
        statuses |= {400, 413, 415, 422}
    statuses.add(400)  # unknown parameters
    return statuses


def _reply(status: int, reply: type[BaseModel] | str) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if not isinstance(reply, str):
        described["content"] = {"application/json": {"schema": {"$ref": _REF.format(model=reply.__name__)}}}
    elif "/" in reply:
        described["content"] = {reply: {"schema": {"type": "object" if reply.endswith("/json") else "string"}}}
    return described


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameter(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if query.default is not None:
        schema = {"type": "integer", "minimum": query.least, "maximum": query.most, "default": query.default}
    return {"name": query.name, "in": "query", "description": query.description, "schema": schema}
