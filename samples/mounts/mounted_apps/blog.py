"""A Flask program that a factory makes. It keeps a session, too."""
from flask import Flask, session


def create_app(title):
    app = Flask(__name__)
    app.secret_key = "only for this sample, too"

    @app.route("/")
    def visits():
        session["visits"] = session.get("visits", 0) + 1
        return {"title": title, "visits": session["visits"]}

    return app
