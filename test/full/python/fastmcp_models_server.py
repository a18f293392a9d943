"""A server built with FastMCP.   server_fastmcp.py [PORT]: a program, or Streamable HTTP on a port"""

import sys
from typing import Annotated, Literal

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from pydantic import BaseModel, Field

server = FastMCP("fixture", instructions="Say anything")


class Point(BaseModel):
    x: int
    y: float = 0.0


@server.tool
def echo(message: str) -> str:
    """Say it again"""
    return f"Echo: {message}"


@server.tool(annotations={"readOnlyHint": True}, tags={"geometry"})
def move(point: Point, by: Annotated[int, Field(ge=0, le=9007199254740993)] = 1) -> Point:
    """Moves a point to the right"""
    return Point(x=point.x + by, y=point.y)


@server.tool
def numbers(kind: Literal["large", "small"]) -> list[float | int]:
    """Numbers as they are"""
    return [9007199254740993, 1.0] if kind == "large" else [1e-7, -0.0]


@server.tool
async def fail(context: Context) -> None:
    """Fails"""
    await context.info("about to fail")
    raise ToolError("as it should")


if len(sys.argv) > 1:
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
else:
    server.run(show_banner=False)
