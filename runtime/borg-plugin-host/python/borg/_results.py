"""From what a function returned, or raised, to the result of `tools/call`."""

from __future__ import annotations

import base64
from typing import Any

from borg import _encode as encode
from borg import _json
from borg._faults import summary
from borg._json import LINE_LIMIT, MIB, JsonObject

_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def returned(name: str, value: Any) -> JsonObject:
    """The result that carries a value, or the fault that it cannot be carried."""
    if isinstance(value, (str, bytes, bytearray)) and len(value) > LINE_LIMIT:
        return _too_large(name, len(value))
    try:
        result = _result(name, value)
        size = len(_json.write(result))
    except encode.NoJsonError as error:
        return fault(str(error))
    return _too_large(name, size) if size > LINE_LIMIT else result


def raised(error: BaseException, file: str) -> JsonObject:
    """The result that says what a function raised, and in which line of the plugin."""
    return fault(summary(error, file))


def fault(text: str) -> JsonObject:
    """A result that tells the client, and the model behind it, what went wrong."""
    return {"content": [_text(text)], "isError": True}


def _result(name: str, value: Any) -> JsonObject:
    if value is None:
        return {"content": []}
    if isinstance(value, (bytes, bytearray)):
        return {"content": [_image(name, bytes(value))]}
    plain = encode.value(value, f"the result of `{name}`")
    if isinstance(plain, str):
        return {"content": [_text(plain)]}
    # Before 2026-07-28 structured content had to be an object.
    structured = plain if isinstance(plain, dict) else {"result": plain}
    return {"content": [_text(_json.write(plain).decode())], "structuredContent": structured}


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _image(name: str, data: bytes) -> JsonObject:
    kinds = (kind for start, kind in _IMAGES.items() if data.startswith(start))
    kind = "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else next(kinds, None)
    if kind is None:
        raise encode.NoJsonError(
            f"the result of `{name}` is bytes, but no PNG, JPEG, GIF or WebP image: return a text, such as base64"
        )
    return {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": kind}


def _too_large(name: str, size: int) -> JsonObject:
    sizes = f"{size / MIB:.1f} MiB, and at most {LINE_LIMIT // MIB} are carried"
    return fault(f"the result of `{name}` takes {sizes}: return less at a time")
