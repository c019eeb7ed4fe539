"""The iris service in Flask."""
from flask import Flask, jsonify, request

import iris_model

app = Flask(__name__)


@app.post("/classify")
def classify():
    return jsonify(iris_model.classify(request.get_json()))
