"""An MCP server with the tools of one plugin, or with the reason why there are none."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from borg import __version__
from borg import _protocol as protocol
from borg import _results as results
from borg._calls import Call, Calls
from borg._context import Context
from borg._json import JsonObject
from borg._kinds import WrongValueError
from borg._load import Plugin
from borg._protocol import Notice, ProtocolError, Request
from borg._streams import Lines

_READ = 64 * 1024


class Server:
    """Answers lines. Nothing that a line holds makes it fail."""

    def __init__(self, plugin: Plugin | str, calls: Calls, send: Callable[[JsonObject], None]) -> None:
        """`plugin` may be a text: then every request is answered with that as its error."""
        self._plugin = plugin
        self._calls = calls
        self._send = send
        self._methods: dict[str, Callable[[Request, Plugin], JsonObject | None]] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": self._ping,
            "tools/list": self._list,
            "tools/call": self._call,
        }

    def take(self, line: bytes | None) -> None:
        """One line that came in; None for one that was too long."""
        try:
            message = protocol.parse(line)
        except ProtocolError as error:
            self._send(error.message())
            return
        if isinstance(message, Request):
            self._request(message)
        elif message is not None:
            self._notice(message)

    def _request(self, request: Request) -> None:
        try:
            result = self._answer(request)
        except ProtocolError as error:
            error.request = request.id
            self._send(error.message())
            return
        if result is not None:
            self._reply(request, result)

    def _answer(self, request: Request) -> JsonObject | None:
        """The result, or None when it comes later."""
        if isinstance(self._plugin, str):
            raise ProtocolError(protocol.CANNOT_START, self._plugin)
        protocol.check_version(request)
        method = self._methods.get(request.method)
        if method is None:
            raise ProtocolError(protocol.METHOD_NOT_FOUND, f"there is no method `{request.method[:100]}`")
        return method(request, self._plugin)

    def _reply(self, request: Request, result: JsonObject) -> None:
        name = "plugin" if isinstance(self._plugin, str) else self._plugin.name
        self._send(protocol.answer(request, result, _identity(name)))

    def _notice(self, notice: Notice) -> None:
        number = notice.params.get("requestId")
        if notice.method == "notifications/cancelled" and protocol.is_id(number):
            self._calls.cancel(number)

    def _initialize(self, request: Request, plugin: Plugin) -> JsonObject:
        return {
            "protocolVersion": protocol.negotiate(request),
            "capabilities": {"tools": {}},
            "serverInfo": _identity(plugin.name),
        }

    def _discover(self, _request: Request, _plugin: Plugin) -> JsonObject:
        versions = [*reversed(protocol.WITH_INITIALIZE + protocol.STATELESS)]
        return {"supportedVersions": versions, "capabilities": {"tools": {}}, **_UNCACHED}

    def _ping(self, request: Request, _plugin: Plugin) -> JsonObject:
        if request.is_stateless:
            raise ProtocolError(protocol.METHOD_NOT_FOUND, "there is no method `ping` since 2026-07-28")
        return {}

    def _list(self, request: Request, plugin: Plugin) -> JsonObject:
        tools = [tool.listing() for tool in plugin.tools]
        return {"tools": tools, **(_UNCACHED if request.is_stateless else {})}

    def _call(self, request: Request, plugin: Plugin) -> JsonObject | None:
        tool = plugin.tool(request.params.get("name"))
        if tool is None:
            names = ", ".join(f"`{one.name}`" for one in plugin.tools)
            raise ProtocolError(protocol.INVALID_PARAMS, f"there is no such tool in {plugin.name}: it has {names}")
        given = request.params.get("arguments")
        if given is not None and not isinstance(given, dict):
            raise ProtocolError(protocol.INVALID_PARAMS, "arguments is an object")
        try:
            arguments = tool.read(given or {})
        except WrongValueError as error:
            # As a result and not as an error of the protocol, so that a model sees it and can mend its call.
            return results.fault(str(error))
        context = self._context(request)
        arguments.update(dict.fromkeys(tool.contexts, context))
        call = Call(
            request.id, tool, plugin.file, arguments, context, answer=lambda result: self._reply(request, result)
        )
        refusal = self._calls.start(call)
        if refusal:
            raise ProtocolError(protocol.INTERNAL_ERROR, refusal)
        return None

    def _context(self, request: Request) -> Context:
        token = request.progress_token
        if token is None:
            return Context()

        def notify(report: JsonObject) -> None:
            params = {"progressToken": token, **report}
            self._send({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})

        return Context(notify)


_UNCACHED = {"ttlMs": 0, "cacheScope": "private"}


def _identity(name: str) -> JsonObject:
    return {"name": name, "version": __version__}


def serve(source: int, server: Server, calls: Calls) -> None:
    """Reads lines until their end, and then waits for the calls that are open. Raises StuckError."""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    lines = Lines()
    while True:
        pause = calls.expire()
        if not poller.poll(None if pause is None else pause * 1000 + 1):
            continue
        try:
            data = os.read(source, _READ)
        except ConnectionError:
            data = b""
        if not data:
            break
        for line in lines.feed(data):
            server.take(line)
    for line in lines.rest():
        server.take(line)
    calls.drain()
