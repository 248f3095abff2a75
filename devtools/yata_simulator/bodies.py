"""Request bodies: read as FastAPI reads them, and refused in its shape."""

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from devtools.yata_simulator.errors import Refused

BodyT = TypeVar("BodyT", bound=BaseModel)


async def parse_body(request: Request, model: type[BodyT]) -> BodyT:
    """Read a JSON body. Raises Refused with 422 and one entry for each thing that is wrong."""
    return parse_document(await _json_document(request), model)


def parse_document(document: object, model: type[BodyT]) -> BodyT:
    """Read what came as a body already decoded. Raises Refused with 422."""
    try:
        return model.model_validate(document, from_attributes=True)
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False)
        located = [{**problem, "loc": ["body", *problem["loc"]]} for problem in problems]
        raise Refused(422, located) from invalid


async def _json_document(request: Request) -> object:
    body = await request.body()
    if not body:
        missing = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
        raise Refused(422, [missing])
    if not request.headers.get("content-type", "").startswith("application/json"):
        # FastAPI takes a body for JSON only if it is called so.
        return body.decode(errors="replace")
    try:
        return json.loads(body)
    except json.JSONDecodeError as invalid:
        problem = {
            "type": "json_invalid",
            "loc": ["body", invalid.pos],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": invalid.msg},
        }
        raise Refused(422, [problem]) from invalid
    except UnicodeDecodeError as invalid:
        raise Refused(400, "There was an error parsing the body") from invalid
