"""GET /hello in FastAPI, mounted in bentohost or behind a proxy."""
from fastapi import FastAPI

app = FastAPI()


@app.get("/hello")
async def hello():
    return {"message": "hello"}
