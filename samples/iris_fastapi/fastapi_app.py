"""The FastAPI program that iris_fastapi.cc mounts: an ordinary one, which can call the service's runners."""
from importlib.util import find_spec
from pathlib import Path

from bento_runner import AsgiContext, RunnerError, runner
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

iris_clf = runner("iris_clf")


class IrisFeatures(BaseModel):
    sepal_len: float
    sepal_width: float
    petal_len: float
    petal_width: float

    def row(self):
        return [[self.sepal_len, self.sepal_width, self.petal_len, self.petal_width]]


# /docs shows Swagger UI. FastAPI's page loads it from the internet; where flasgger is installed (Debian's
# python3-flasgger), its copy is used, and the page works without.
flasgger = find_spec("flasgger")
app = FastAPI(title="Irises by FastAPI", docs_url=None if flasgger else "/docs")
# Calls of runners keep the request's deadline, and its id in the logs.
app.add_middleware(AsgiContext)


@app.get("/metadata")
def metadata():
    tag = iris_clf.bento_model.tag
    return {"name": tag.name, "version": tag.version}


# A function of FastAPI's thread pool waits for the runner ...
@app.post("/predict_fastapi")
def predict(features: IrisFeatures):
    classes = iris_clf.predict.run(features.row())
    return {"prediction": classes.tolist()[0]}


# ... and a coroutine does not: while the runner works, others run. Prefer it.
@app.post("/predict_fastapi_async")
async def predict_async(features: IrisFeatures):
    classes = await iris_clf.predict.async_run(features.row())
    return {"prediction": classes.tolist()[0]}


# Of a runner that is overloaded or late, clients are told so: 503 or 504 rather than 500.
@app.exception_handler(RunnerError)
async def runner_failed(_: Request, error: RunnerError):
    return JSONResponse({"detail": error.message}, error.status)


if flasgger:
    app.mount("/swagger-ui", StaticFiles(directory=Path(flasgger.origin).parent / "ui3" / "static"))

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request):
        root = request.scope["root_path"]  # where it is mounted: "" for "/"
        return get_swagger_ui_html(openapi_url=root + app.openapi_url, title=app.title,
                                   swagger_js_url=root + "/swagger-ui/swagger-ui-bundle.js",
                                   swagger_css_url=root + "/swagger-ui/swagger-ui.css",
                                   swagger_favicon_url=root + "/swagger-ui/favicon-32x32.png")
