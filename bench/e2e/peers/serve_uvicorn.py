"""`uvicorn --workers N`, but for the listening sockets, in two ways that make it faster. uvicorn's
own has no protocol number, so that asyncio leaves Nagle's algorithm on, and each reply waits 40 ms
for a delayed ACK. And its workers share one socket, of which the first that wakes takes all
connections that wait: a burst of 64 often ends at one worker. Here each has a socket of its own on
the same port. Beside a peer that stalls or idles so, any server would look good."""
import argparse
import functools
import socket

import uvicorn
from uvicorn.supervisors import Multiprocess


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _work(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    uvicorn.Server(config).run(sockets=[*sockets, _listen(config.port)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("app")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", required=True)
    parser.add_argument("--http", required=True)
    parser.add_argument("--no-access-log", dest="access_log", action="store_false")
    config = uvicorn.Config(**vars(parser.parse_args()))
    Multiprocess(config, target=functools.partial(_work, config), sockets=[]).run()


if __name__ == "__main__":
    main()
