"""Every error a client sees is a problem document (RFC 9457); what went wrong inside goes to the log alone."""

from __future__ import annotations

import json
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from cti.errors import CtiError, FieldError, InvalidBody, MalformedBody

log = logging.getLogger("plateau.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_DETAILS = {
    404: "there is nothing at this address; the API is described at /v1/openapi.json",
    405: "this address does not take this method",
    413: "the body is larger than 64 kB",
}


def problem(
    status: int, title: str, detail: str | None = None, extra: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """The members of a problem document."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    return body | dict(extra or {})


def of_error(error: CtiError) -> dict[str, Any]:
    """The problem document of one of this package's errors."""
    return problem(error.status, error.title, str(error), error.extra())


def response(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    """A problem document as HTTP."""
    return web.Response(
        status=body["status"], text=json.dumps(body), content_type="application/problem+json", headers=headers
    )


def of_validation(error: ValidationError) -> CtiError:
    """A body that pydantic refused: which fields and why."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return MalformedBody(found[0]["msg"])
    return InvalidBody([FieldError(".".join(map(str, e["loc"])), e["msg"]) for e in found])


def middleware(counters: Counter[str]) -> Any:
    """Turns whatever is raised below into a problem document."""

    @web.middleware
    async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except CtiError as e:
            counters["http_refused"] += 1
            return response(of_error(e), {"WWW-Authenticate": "Bearer"} if e.status == 401 else None)
        except web.HTTPException as e:
            if e.status < 400:
                raise
            counters["http_refused"] += 1
            allow = {"Allow": e.headers["Allow"]} if "Allow" in e.headers else None
            detail = _DETAILS.get(e.status)
            return response(problem(e.status, HTTPStatus(e.status).phrase, detail), allow)
        except Exception:
            counters["http_errors"] += 1
            reference = secrets.token_hex(4)
            log.exception("%s %s failed, reference %s", request.method, request.path, reference)
            return response(problem(500, "Internal error", f"not your fault; the log says more under {reference}"))

    return problems
