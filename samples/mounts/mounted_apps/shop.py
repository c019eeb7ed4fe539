"""A Flask program that remembers in a session what one has put into the basket."""
from flask import Flask, redirect, request, session, url_for

app = Flask(__name__)
app.secret_key = "only for this sample"


@app.route("/")
def basket():
    return {"pieces": session.get("pieces", 0), "buy": url_for("buy", _external=True)}


@app.route("/buy", methods=["POST"])
def buy():
    session["pieces"] = session.get("pieces", 0) + 1
    return redirect(url_for("basket"))


# Never called: the service has an API at /shop/price.
@app.route("/price", methods=["POST"])
def price():
    return {"total": "ask the shop"}


@app.route("/whoami")
def whoami():
    return {"address": request.remote_addr, "scheme": request.scheme, "prefix": request.script_root}
