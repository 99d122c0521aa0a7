"""Reading a request's JSON body as ASP.NET Core does, with its words for what is wrong."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

JSON_TYPE = re.compile(r"\s*(application/json|text/json|application/[^;\s]+\+json)\s*(;|$)", re.IGNORECASE)
"""Content types that are taken; anything else, and none, is 415."""

_REQUEST_MISSING = {"request": ["The request field is required."]}
_STRING = r'"(?:[^"\\]|\\.)*"'
_LAST_NAME = re.compile(rf"[{{,]\s*({_STRING})\s*:")

Errors = dict[str, list[str]]


class Field(NamedTuple):
    """A text field of a request."""

    name: str
    required: bool = False


class Shape(NamedTuple):
    """What a request's body must be."""

    type_name: str
    """Confman's class, which its error texts name."""
    fields: tuple[Field, ...]


ENTRY = Shape("Confman.Api.Controllers.SetConfigRequest", (Field("value", required=True), Field("type")))
NAMESPACE = Shape("Confman.Api.Controllers.SetNamespaceRequest", (Field("description"), Field("owner")))


class InvalidBodyError(Exception):
    """The body is refused; `errors` goes into the problem answer."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("invalid body")
        self.errors = errors


def read(body: bytes, shape: Shape) -> dict[str, str | None]:
    """The fields of a body by name, None where absent. Raises InvalidBodyError."""
    if not body.strip():
        raise InvalidBodyError({"": ["A non-empty request body is required."], **_REQUEST_MISSING})
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        path, text = _syntax_error(body, error)
        raise InvalidBodyError({path: [text], **_REQUEST_MISSING}) from None
    if data is None:
        raise InvalidBodyError({"": ["A non-empty request body is required."], **_REQUEST_MISSING})
    if not isinstance(data, dict):
        raise InvalidBodyError({"$": [_not_convertible(body, shape.type_name, "$", data)], **_REQUEST_MISSING})
    return _fields(body, {str(name).lower(): value for name, value in data.items()}, shape)


def _fields(body: bytes, given: dict[str, Any], shape: Shape) -> dict[str, str | None]:
    for field in shape.fields:
        value = given.get(field.name)
        if value is not None and not isinstance(value, str):
            path = f"$.{field.name}"
            raise InvalidBodyError({path: [_not_convertible(body, "System.String", path, value)], **_REQUEST_MISSING})
    for field in shape.fields:
        if field.required and field.name not in given:
            text = f"JSON deserialization for type '{shape.type_name}' was missing required properties including: "
            raise InvalidBodyError({"$": [f"{text}'{field.name}'."], **_REQUEST_MISSING})
    for field in shape.fields:
        if field.required and given[field.name] is None:
            name = field.name.capitalize()
            raise InvalidBodyError({name: [f"The {name} field is required."]})
    return {field.name: given.get(field.name) for field in shape.fields}


def _position(body: bytes, offset: int) -> str:
    line = body.count(b"\n", 0, offset)
    start = body.rfind(b"\n", 0, offset) + 1
    return f"LineNumber: {line} | BytePositionInLine: {offset - start}."


def _not_convertible(body: bytes, type_name: str, path: str, value: Any) -> str:
    """The reader has read the value when it complains: a number or literal whole, a list or object its bracket."""
    offset = len(body) - len(body.lstrip())
    if path != "$":
        name = path.removeprefix("$.").encode()
        found = re.search(rb'"' + name + rb'"\s*:\s*', body, re.IGNORECASE)
        offset = found.end() if found else offset
    token = re.compile(rb"[\[{]|[^\s,\]}]+").match(body, offset)
    end = token.end() if token else len(body)
    return f"The JSON value could not be converted to {type_name}. Path: {path} | {_position(body, end)}"


def _syntax_error(body: bytes, error: Exception) -> tuple[str, str]:
    text = body.decode("utf-8", "replace")
    at = error.pos if isinstance(error, json.JSONDecodeError) else 0
    names = _LAST_NAME.findall(text[:at])
    path = f"$.{json.loads(names[-1])}" if names and text[at - 1 : at] not in ("}", "]") else "$"
    offset = len(text[:at].encode())
    if at >= len(text.rstrip()):
        what = (
            "Expected depth to be zero at the end of the JSON payload. "
            "There is an open JSON object or array that should be closed."
        )
        offset = len(body)
    else:
        what = f"'{text[at]}' is an invalid start of a value."
    return path, f"{what} Path: {path} | {_position(body, offset)}"
