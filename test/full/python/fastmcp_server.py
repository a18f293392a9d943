"""A FastMCP server with what Python's servers do: `stdio`, or `http PORT` mounted below /deep/sub."""

import sys

from fastmcp import Context, FastMCP

mcp = FastMCP("python")


@mcp.tool
def echo(data: dict) -> dict:
    """Say it again."""
    return data


@mcp.tool
def numbers() -> dict:
    """Numbers that a careless reader changes."""
    return {"result": 1267650600228229401496703205376, "one": 1.0, "zero": -0.0, "order": {"a": 1, "10": 2, "2": 3}}


@mcp.tool
def noise() -> str:
    """Print where only messages belong."""
    print("[INFO] started", flush=True)
    print({"a": 1}, flush=True)
    print([1, 2], flush=True)
    return "quiet"


@mcp.tool
async def log(ctx: Context) -> str:
    """Two lines of the log."""
    await ctx.debug("one")
    await ctx.debug("two")
    return "logged"


@mcp.tool
async def ask(ctx: Context) -> str:
    """Ask for a name."""
    answer = await ctx.elicit("Who?", response_type=str)
    return f"Hello {answer.data}" if answer.action == "accept" else answer.action


if sys.argv[1] == "stdio":
    mcp.run(show_banner=False)
else:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    app = mcp.http_app(path="/")
    uvicorn.run(
        Starlette(routes=[Mount("/deep/sub", app=app)], lifespan=app.lifespan),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="error",
    )
