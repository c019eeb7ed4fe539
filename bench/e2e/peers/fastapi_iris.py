"""The iris service in FastAPI, as its documentation would have it, without a response model (which
would validate the reply once more): the fast way that is still idiomatic."""
from fastapi import FastAPI

import iris_model

# `def`: what FastAPI's documentation advises for code that blocks, run in its thread pool.
def_app = FastAPI()
# `async def`: no hop to a thread, but nothing else is answered while the model works.
async_app = FastAPI()


@def_app.post("/classify")
def classify(rows: list[list[float]]):
    return iris_model.classify(rows)


@async_app.post("/classify")
async def classify_on_the_loop(rows: list[list[float]]):
    return iris_model.classify(rows)
