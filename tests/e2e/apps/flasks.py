"""A Flask app for the tests of mounts."""
import os
import time

from flask import Flask, Response, jsonify, redirect, request, session, stream_with_context, url_for

app = Flask(__name__)
app.secret_key = "only for tests"


@app.route("/hello")
def hello():
    return jsonify(hello="flask", pid=os.getpid())


@app.route("/environ")
def environ():
    return jsonify({name: value for name, value in request.environ.items() if isinstance(value, (str, int, bool))})


@app.route("/url")
def url():
    return jsonify(relative=url_for("hello"), absolute=url_for("hello", _external=True), remote=request.remote_addr)


@app.route("/folder/")
def folder():
    return "folder"


@app.route("/go")
def go():
    return redirect(url_for("hello"))


@app.route("/echo", methods=["POST"])
def echo():
    def pieces():
        while piece := request.stream.read(65536):
            yield piece
    return Response(stream_with_context(pieces()), mimetype="application/octet-stream")


@app.route("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.route("/sleep/<int:milliseconds>")
def sleep(milliseconds):
    time.sleep(milliseconds / 1000)
    return "slept"


@app.route("/zeros/<int:size>")
def zeros(size):
    return Response((bytes(min(65536, size - at)) for at in range(0, size, 65536)),
                    mimetype="application/octet-stream")


@app.route("/boom")
def boom():
    raise RuntimeError("boom")


def create_app(name="flask"):
    app.config["NAME"] = name
    return app
