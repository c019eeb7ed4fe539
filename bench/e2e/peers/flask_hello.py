"""GET /hello in Flask, mounted in bentohost or behind a proxy."""
from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/hello")
def hello():
    return jsonify(message="hello")
