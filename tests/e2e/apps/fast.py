"""A FastAPI app for the tests of mounts: it tells what it was asked, in each way that an app can be asked."""
import asyncio
import os
import sys

from fastapi import FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse

app = FastAPI()
cancelled = 0


@app.get("/hello")
async def hello():
    return {"hello": "world", "pid": os.getpid()}


@app.get("/scope")
async def scope(request: Request):
    kept = ("http_version", "method", "scheme", "path", "root_path", "client", "server")
    return {**{name: request.scope[name] for name in kept},
            "raw_path": request.scope["raw_path"].decode(), "query": request.scope["query_string"].decode(),
            "headers": [[name.decode(), value.decode()] for name, value in request.scope["headers"]],
            "url_for": str(request.url_for("hello"))}


@app.get("/any/{rest:path}")
async def anything(request: Request, rest: str):
    return {"rest": rest, "raw_path": request.scope["raw_path"].decode()}


async def echo(scope, receive, send):
    """Sends back what comes, as it comes. (Starlette's streams would listen for the client's end meanwhile.)"""
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/octet-stream")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


app.mount("/echo", echo)


@app.post("/length")
async def length(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return {"size": size}


@app.post("/early")
async def early():
    return PlainTextResponse("no, thanks", status_code=413)


@app.get("/zeros/{size}")
async def zeros(size: int):
    async def pieces():
        left = size
        while left > 0:
            yield bytes(min(left, 65536))
            left -= 65536
    return StreamingResponse(pieces(), media_type="application/octet-stream")


@app.get("/events")
async def events():
    async def pieces():
        global cancelled
        try:
            for number in range(1_000_000):
                yield f"data: {number}\n\n"
                await asyncio.sleep(0.05)
        except BaseException:
            cancelled += 1
            raise
    return StreamingResponse(pieces(), media_type="text/event-stream")


@app.get("/cancelled")
async def how_many_were_cancelled():
    return cancelled


@app.get("/broken")
async def broken():
    async def pieces():
        yield b"x" * 1000
        raise RuntimeError("in mid-stream")
    return StreamingResponse(pieces())


@app.get("/sleep/{milliseconds}")
async def sleep(milliseconds: int):
    await asyncio.sleep(milliseconds / 1000)
    return "slept"


@app.get("/pid/{milliseconds}")
async def pid(milliseconds: int):
    await asyncio.sleep(milliseconds / 1000)
    return os.getpid()


@app.get("/status/{code}")
async def status(code: int):
    if code in (204, 304):
        return PlainTextResponse("", status_code=code)
    raise HTTPException(code, detail="as asked")


@app.get("/boom")
async def boom():
    raise RuntimeError("boom")


@app.get("/exit/{code}")
async def leave(code: int):
    os._exit(code)


@app.get("/print/{lines}")
async def say(lines: int):
    for number in range(lines):
        print("line", number)
    print("to stderr", file=sys.stderr)


@app.get("/cookies")
async def cookies():
    response = PlainTextResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", path="/deep")
    return response


@app.get("/redirect")
async def redirect():
    return RedirectResponse("/elsewhere")


@app.get("/folder/")
async def folder():
    return "folder"


@app.get("/env/{name}")
async def environment(name: str):
    return os.environ.get(name)


@app.websocket("/ws")
async def websocket(socket: WebSocket):
    await socket.accept(subprotocol=(socket.scope["subprotocols"] or [None])[0])
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") == "scope":
            await socket.send_json({"scheme": socket.scope["scheme"], "root_path": socket.scope["root_path"],
                                    "path": socket.scope["path"]})
        elif message.get("text") == "close":
            return await socket.close(4000)
        elif message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


def create():
    return app
