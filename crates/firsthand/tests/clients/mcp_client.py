"""The official MCP client for Python, unmodified: python mcp_client.py URL FOLDER -- COMMAND...

Asks a server over HTTP and the command over stdin and stdout the same, and prints one line of JSON with what it saw."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

url, folder = sys.argv[1], sys.argv[2]
command = sys.argv[sys.argv.index("--") + 1 :]


async def ask(session):
    await session.initialize()
    tools = sorted(tool.name for tool in (await session.list_tools()).tools)
    looked = await session.call_tool(
        "inspect", {"videos": ["clip.mp4"], "frames": 4, "max_pixels": 6272}
    )
    links = [block for block in looked.content if block.type == "resource_link"]
    assert len(links) == 4 and all(len(link.name) == 64 for link in links), looked
    assert "#t=" in str(links[0].uri), links[0]
    answer = await session.call_tool(
        "ask", {"question": "what is this ?", "images": ["photo.jpg"], "max_tokens": 8}
    )
    is_error = getattr(answer, "isError", None) or getattr(answer, "is_error", None)
    assert not is_error, answer
    wrong = await session.call_tool("ask", {"question": "what ?", "images": ["/etc/passwd"]})
    assert getattr(wrong, "isError", None) or getattr(wrong, "is_error", None), wrong
    assert "not open to requests" in wrong.content[0].text, wrong
    found = None
    if "search_memory" in tools:
        found = await session.call_tool(
            "search_memory", {"level": "day", "keywords": ["cup"], "start_time": "DAY1_07000000", "query_time": "DAY1_23000000"}
        )
        found = found.model_dump(mode="json")
    return {"tools": tools, "answer": answer.content[0].text, "found": found}


async def over_http():
    async with streamable_http_client(url + "/mcp") as streams:
        async with ClientSession(streams[0], streams[1]) as session:
            return await ask(session)


async def over_stdio():
    parameters = StdioServerParameters(command=command[0], args=command[1:], cwd=folder)
    async with stdio_client(parameters) as (reader, writer):
        async with ClientSession(reader, writer) as session:
            return await ask(session)


first = asyncio.run(over_http())
second = asyncio.run(over_stdio())
assert first == second, (first, second)
print(json.dumps(first))
