"""The iris service in FastAPI, as its documentation recommends, without a response model (which
would validate the reply again): the fastest way that is still idiomatic."""
from fastapi import FastAPI

import iris_model

# `def`: FastAPI's documentation advises it for code that blocks; it runs in a thread pool.
def_app = FastAPI()
# `async def`: no switch to a thread, but no other request is answered while the model works.
async_app = FastAPI()


@def_app.post("/classify")
def classify(rows: list[list[float]]):
    return iris_model.classify(rows)


@async_app.post("/classify")
async def classify_on_the_loop(rows: list[list[float]]):
    return iris_model.classify(rows)
