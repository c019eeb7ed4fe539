"""`uvicorn --workers N` with other listening sockets, which make it faster in two ways. uvicorn's own
socket has no protocol number, so asyncio leaves Nagle's algorithm on, and each reply waits 40 ms for a
delayed ACK. And its workers share one socket, so the first worker that wakes takes all waiting
connections: a burst of 64 often ends up at one worker. Here each worker has its own socket on the same
port. Beside a peer with these stalls, any server would look good."""
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
