"""POST /predict_fastapi_async as in samples/iris_fastapi, with scikit-learn in the app itself."""
from fastapi import FastAPI
from pydantic import BaseModel

import iris_model

app = FastAPI()


class Iris(BaseModel):
    sepal_len: float
    sepal_width: float
    petal_len: float
    petal_width: float


# `async def`: a prediction takes less than the switch to a thread would.
@app.post("/predict_fastapi_async")
async def predict(iris: Iris):
    row = [iris.sepal_len, iris.sepal_width, iris.petal_len, iris.petal_width]
    return {"prediction": iris_model.classify([row])[0]}
