"""The Starlette side of test_starlette.py: an app like tests/plugins/answers.cc, and a way to call it.

Calls go through the ASGI interface itself, with no server and no test client in between.
"""
import asyncio
import threading
import urllib.parse

from starlette.applications import Starlette
from starlette.background import BackgroundTasks
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

# By the names of our plugins; the options have Starlette's names, except for the prefix of CORS's.
MIDDLEWARE = {"trusted_host": TrustedHostMiddleware, "https_redirect": HTTPSRedirectMiddleware,
              "cors": CORSMiddleware, "gzip": GZipMiddleware}


class App:
    def __init__(self, uses=()):
        self.done, self.released = [], threading.Event()
        self.asgi = Starlette(
            routes=[Route("/plain/{bytes:int}", self.plain), Route("/streamed/{pieces:int}", self.streamed),
                    Route("/encoded", self.encoded), Route("/varies", self.varies),
                    Route("/tasks/{names}", self.tasks)],
            middleware=[Middleware(MIDDLEWARE[name], **{key.removeprefix("access_control_"): value
                                                        for key, value in options.items()})
                        for name, options in uses])

    async def plain(self, request):
        return PlainTextResponse("x" * request.path_params["bytes"])

    async def streamed(self, request):
        pieces = (f"piece {i}\n" for i in range(request.path_params["pieces"]))
        return StreamingResponse(pieces, media_type="text/plain")

    async def encoded(self, _):
        return StreamingResponse(iter(["x" * 1000]), media_type="text/plain",
                                 headers={"Content-Encoding": "br"})

    async def varies(self, _):
        return PlainTextResponse("x" * 1000, headers={"Vary": "Accept"})

    async def tasks(self, request):
        tasks = BackgroundTasks()
        for name in request.path_params["names"].split(","):
            tasks.add_task(self.run_task, name)
        return PlainTextResponse("accepted", background=tasks)

    def run_task(self, name):
        if name == "waits":
            self.released.wait()
        if name == "fails":
            raise RuntimeError("a task that fails")
        self.done.append(name)

    def call(self, method, path, headers, server, on_sent=lambda: None):
        """(status, [(name, value)], body) of the response; on_sent is called when it is complete."""
        path, _, query = path.partition("?")
        raw, path = path.encode(), urllib.parse.unquote(path)
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
                 "scheme": "http", "path": path, "raw_path": raw, "root_path": "",
                 "query_string": query.encode(), "client": ("127.0.0.1", 1), "server": server,
                 "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()]}
        sent = []

        async def run():
            bodies = [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive():
                return bodies.pop() if bodies else await asyncio.Event().wait()

            async def send(message):
                sent.append(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    on_sent()

            await self.asgi(scope, receive, send)

        try:
            asyncio.run(run())
        except RuntimeError as error:  # a task's error is raised long after the response was sent
            if str(error) != "a task that fails":
                raise
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return (sent[0]["status"],
                [(k.decode(), v.decode()) for k, v in sent[0]["headers"]],
                b"" if method == "HEAD" else body)
