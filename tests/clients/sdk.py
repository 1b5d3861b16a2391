"""The Python SDK's client against a device's gateway, by both ways of the protocol. usage: sdk.py URL TOKEN CERTIFICATE (two files)"""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

TOOLS = {"hello", "read_text_file", "write_file", "list_directory", "search_files", "list_ports"}


def text(result):
    return "".join(block.text for block in result.content)


async def use(url, http, mode):
    async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert not TOOLS - tools.keys(), TOOLS - tools.keys()
        assert tools["read_text_file"].annotations.read_only_hint
        assert tools["hello"].input_schema["properties"]["name"]["type"] == "string"

        assert "Hello SDK!" in text(await client.call_tool("hello", {"name": "SDK"}))

        written = await client.call_tool("write_file", {"path": "sdk.txt", "content": f"one\n{mode}"})
        assert not written.is_error, text(written)
        read = await client.call_tool("read_text_file", {"path": "sdk.txt", "tail": 1})
        assert text(read) == mode, text(read)
        assert read.structured_content == {"content": text(read)}, read.structured_content
        assert "[FILE] sdk.txt" in text(await client.call_tool("list_directory", {"path": "."}))

        outside = await client.call_tool("read_text_file", {"path": "/etc/shadow"})
        assert outside.is_error and "root:" not in text(outside), text(outside)
        ports = await client.call_tool("list_ports", {})
        assert not ports.is_error, text(ports)
        return client.protocol_version


async def main(url, token, certificate):
    trust = ssl.create_default_context(cafile=certificate)
    bearer = {"Authorization": f"Bearer {Path(token).read_text().strip()}"}
    async with httpx2.AsyncClient(verify=trust, headers=bearer, timeout=120) as http:
        versions = [await use(url, http, mode) for mode in ("legacy", "auto")]
    async with httpx2.AsyncClient(verify=trust, timeout=120) as http:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = await http.post(url, headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            assert answer.status_code == 401, (headers, answer.status_code)
    print(json.dumps(versions))


asyncio.run(main(*sys.argv[1:]))
