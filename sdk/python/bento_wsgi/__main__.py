"""The command line of the worker."""
import argparse
import gc
import os
import sys

from bento_wsgi.body import BUFFER
from bento_wsgi.loading import StartError, load
from bento_wsgi.worker import Worker, listen


def count(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def root_path(text):
    if text and (not text.startswith("/") or text.endswith("/") or "?" in text):
        raise argparse.ArgumentTypeError(f'"{text}" is no prefix: it begins with "/" and does not end with it, as in '
                                         '"/shop"')
    return text


def options(arguments):
    parser = argparse.ArgumentParser(prog="bento_wsgi", description="Serves a WSGI app on a Unix socket.",
                                     allow_abbrev=False)
    parser.add_argument("--app", required=True, metavar="MODULE:ATTRIBUTE",
                        help='the app, or a call that makes it: "app:app", "app:create_app()"')
    parser.add_argument("--unix", required=True, metavar="PATH", help="the socket to listen on")
    parser.add_argument("--threads", type=count, default=16, metavar="N",
                        help="so many connections are served at once (16)")
    parser.add_argument("--root-path", type=root_path, default="", metavar="/PREFIX",
                        help="what SCRIPT_NAME is; paths of requests begin with it")
    parser.add_argument("--max-body-buffer", type=count, default=BUFFER, metavar="BYTES",
                        help=f"of a request's body that the app has not asked for ({BUFFER})")
    parser.add_argument("--multiprocess", action="store_true",
                        help="tells the app that more processes serve it (wsgi.multiprocess)")
    return parser.parse_args(arguments)


def main():
    chosen = options(sys.argv[1:])
    # The app's folder is the working folder. An app that parses a command line finds an empty one.
    sys.path[:] = [os.getcwd()] + [entry for entry in sys.path if entry not in ("", os.getcwd())]
    sys.argv[1:] = []
    try:
        app = load(chosen.app)
        listener = listen(chosen.unix)
    except StartError as error:
        sys.exit(f"bento_wsgi: {error}")
    # What the app asks of runners belongs to the request that it answers.
    context = getattr(sys.modules.get("bento_runner"), "WsgiContext", None)
    if context is not None:
        app = context(app)
    # The modules stay: the collector need not walk them again and again.
    gc.collect()
    gc.freeze()
    Worker(app, listener, chosen).run()


if __name__ == "__main__":
    main()
