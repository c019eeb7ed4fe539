"""The Flask program that iris_flask.cc mounts: an ordinary one, which can call the service's runners."""
from bento_runner import RunnerError, runner
from flask import Flask, jsonify, request

iris_clf = runner("iris_clf")
app = Flask(__name__)


@app.route("/metadata")
def metadata():
    tag = iris_clf.bento_model.tag
    return {"name": tag.name, "version": tag.version}


@app.route("/predict_flask", methods=["POST"])
def predict():
    if not request.is_json:
        return "Content-Type not supported!\n", 415
    classes = iris_clf.predict.run(request.get_json())
    return jsonify(classes.tolist())


# Of flowers of three numbers clients are told so, and of a runner that is overloaded or late: 400, 503 or 504 rather
# than 500.
@app.errorhandler(RunnerError)
def runner_failed(error):
    return jsonify(error=error.message), error.status
