"""JSON as the parts of this package hand it to each other."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NoReturn

JsonObject = dict[str, Any]

MIB = 1024 * 1024
# The longest line that is read or written, and so the largest result.
LINE_LIMIT = 4 * MIB


def read(text: bytes) -> Any:
    """The value of one JSON text in UTF-8; a ValueError for everything else, numbers that JSON has not included."""
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write(value: object) -> bytes:
    """One line without its end."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Half a surrogate pair is a string in Python and nowhere else.
    return text.encode("utf-8", errors="replace")


def shorten(text: str, limit: int) -> str:
    """The beginning of a text that may be long."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def tell(value: object) -> str:
    """A JSON value in a message."""
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return f"the string {json.dumps(shorten(value, 60), ensure_ascii=False)}"
        case int() | float():
            return f"the number {shorten(json.dumps(value), 60)}"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{shorten(text, 60)} is too large a number")
    return number
