"""MCP's messages, in both of its forms.

Until 2025-11-25 a connection begins with `initialize`. Since 2026-07-28 each request names its version in `_meta`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from borg import _json
from borg._json import JsonObject

WITH_INITIALIZE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
STATELESS = ("2026-07-28",)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
CANNOT_START = -32000
UNSUPPORTED_VERSION = -32022

_VERSION = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_SERVER = "io.modelcontextprotocol/serverInfo"

RequestId = str | int | float


class ProtocolError(Exception):
    """Answered as a JSON-RPC error, with the id of the request where that is known."""

    def __init__(self, code: int, message: str, *, request: RequestId | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.request = request
        self.data = data

    def message(self) -> JsonObject:
        """The answer."""
        error: JsonObject = {"code": self.code, "message": str(self)}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": self.request, "error": error}


@dataclass(frozen=True)
class Notice:
    """A notification: nothing answers it."""

    method: str
    params: JsonObject


@dataclass(frozen=True)
class Request(Notice):
    """What wants an answer."""

    id: RequestId

    @property
    def meta(self) -> JsonObject:
        """What the protocol itself says beside the parameters."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def is_stateless(self) -> bool:
        """Whether it is of the form that came with 2026-07-28."""
        return self.meta.get(_VERSION) in STATELESS

    @property
    def progress_token(self) -> str | int | None:
        """What progress reports are to carry; None when none are wanted."""
        token = self.meta.get("progressToken")
        return token if isinstance(token, (str, int)) and not isinstance(token, bool) else None


def parse(line: bytes | None) -> Request | Notice | None:
    """What a line says; None for an empty line and for an answer, since nothing is ever asked here.

    Raises ProtocolError.
    """
    if line is None:
        raise ProtocolError(PARSE_ERROR, f"a line may have {_json.LINE_LIMIT} bytes at most")
    if not line.strip():
        return None
    try:
        message = _json.read(line)
    except ValueError as error:
        raise ProtocolError(PARSE_ERROR, f"the line is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise ProtocolError(INVALID_REQUEST, f"a message is an object, one a line, and not {_json.tell(message)}")
    if "method" not in message and ("result" in message or "error" in message):
        return None
    return _typed(message)


def _typed(message: JsonObject) -> Request | Notice:
    number = message.get("id")
    known: RequestId | None = number if is_id(number) else None
    if "id" in message and known is None:
        raise ProtocolError(INVALID_REQUEST, f"an id is a string or a number, and not {_json.tell(number)}")
    if message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        raise ProtocolError(INVALID_REQUEST, 'a request has `"jsonrpc": "2.0"` and a `method`', request=known)
    params = message.get("params")
    if params is not None and not isinstance(params, dict):
        raise ProtocolError(INVALID_PARAMS, f"params is an object, and not {_json.tell(params)}", request=known)
    notice = Notice(message["method"], params or {})
    return notice if known is None else Request(notice.method, notice.params, known)


def is_id(value: object) -> TypeGuard[RequestId]:
    """Whether a value can be the id of a request."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def check_version(request: Request) -> None:
    """Refuses a request that names a version which is not spoken, or lacks what that version demands."""
    version = request.meta.get(_VERSION)
    needs_meta = request.method == "server/discover" or _VERSION in request.meta
    if isinstance(version, str) and version not in WITH_INITIALIZE + STATELESS:
        data = {"supported": [*reversed(WITH_INITIALIZE + STATELESS)], "requested": version}
        raise ProtocolError(UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)
    if needs_meta and not (isinstance(version, str) and isinstance(request.meta.get(_CAPABILITIES), dict)):
        raise ProtocolError(INVALID_PARAMS, f"_meta must have {_VERSION} (a string) and {_CAPABILITIES} (an object)")


def negotiate(request: Request) -> str:
    """The version for a connection that begins with `initialize`."""
    wanted = request.params.get("protocolVersion")
    return wanted if wanted in WITH_INITIALIZE else WITH_INITIALIZE[-1]


def answer(request: Request, result: JsonObject, server: JsonObject) -> JsonObject:
    """The answer to a request, with what its version demands of every result."""
    if request.is_stateless:
        result = {"resultType": "complete", **result, "_meta": {_SERVER: server}}
    return {"jsonrpc": "2.0", "id": request.id, "result": result}
