"""`uvicorn --workers N`, but for the listening socket: uvicorn's own has no protocol number, so
that asyncio leaves Nagle's algorithm on, and each reply waits 40 ms for a delayed ACK. Beside a
peer that stalls so, any server would look good."""
import argparse
import socket

import uvicorn
from uvicorn.supervisors import Multiprocess


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    listener.set_inheritable(True)
    return listener


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("app")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", required=True)
    parser.add_argument("--http", required=True)
    parser.add_argument("--no-access-log", dest="access_log", action="store_false")
    config = uvicorn.Config(**vars(parser.parse_args()))
    Multiprocess(config, target=uvicorn.Server(config).run, sockets=[_listen(config.port)]).run()


if __name__ == "__main__":
    main()
