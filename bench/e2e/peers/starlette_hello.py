"""POST /hello in Starlette, the framework below FastAPI."""
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("hello")


app = Starlette(routes=[Route("/hello", hello, methods=["POST"])])
