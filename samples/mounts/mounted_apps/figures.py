"""A FastAPI program. It sees its paths without the prefix, and knows the prefix as its root path."""
import itertools

from fastapi import FastAPI, Request

app = FastAPI(title="Figures")
asked = itertools.count(1)


@app.get("/")
async def figures(request: Request):
    return {"asked": next(asked), "path": request.url.path, "root_path": request.scope["root_path"],
            "docs": str(request.url_for("swagger_ui_html"))}
