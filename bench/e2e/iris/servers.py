"""The servers of the iris suite, and the request that all of them get."""
import sys
from pathlib import Path

from .. import servers
from ..load import Request
from ..servers import NGINX, PEERS, WORKERS, Spec, Start

CLASSIFY = Request("POST", "/classify", "[0]", body="[[4.9,3.0,1.4,0.2]]",
                   content_type="application/json")


def _gunicorn(start: Start) -> list[str]:
    # gunicorn's access log is off by default: both of its rows have the same set-up.
    return [sys.executable, "-m", "gunicorn", "--chdir", str(PEERS), "--workers", str(WORKERS),
            "--bind", f"127.0.0.1:{start.port}", "flask_iris:app"]


def known(binary: Path) -> list[Spec]:
    return [
        servers.bentohost(binary, ["libiris.so"]),
        NGINX,
        Spec("fastapi-def", "FastAPI def",
             servers.uvicorn("fastapi_iris:def_app", "asyncio", "h11"),
             ("fastapi", "uvicorn", "sklearn")),
        Spec("fastapi-async", "FastAPI async",
             servers.uvicorn("fastapi_iris:async_app", "asyncio", "h11"),
             ("fastapi", "uvicorn", "sklearn")),
        Spec("fastapi-uvloop", "FastAPI async, uvloop",
             servers.uvicorn("fastapi_iris:async_app", "uvloop", "httptools"),
             ("fastapi", "uvicorn", "uvloop", "httptools", "sklearn")),
        Spec("flask", "Flask, gunicorn", _gunicorn, ("flask", "gunicorn", "sklearn")),
    ]
