"""bento_wsgi: a Flask program under a prefix, as it runs behind the host."""
import hashlib
import json
import unittest

from wsgi_worker import WorkerTest

try:
    import flask
except ImportError:
    flask = None

PROGRAM = """
    import io, os
    from flask import (Flask, Response, abort, jsonify, redirect, request, send_file, session, stream_with_context,
                       url_for)
    with open("data.bin", "wb") as file:
        file.write(bytes(range(256)) * 4000)
    app = Flask(__name__)
    app.secret_key = "of the test"

    @app.route("/")
    def home():
        return "home"
    @app.route("/where/")
    def where():
        return jsonify(url=url_for("where", _external=True), path=url_for("home"), root=request.script_root, addr=request.remote_addr,
                       scheme=request.scheme, secure=request.is_secure, host=request.host, full=request.url,
                       static=url_for("static", filename="a.css"))
    @app.route("/go")
    def go():
        return redirect(url_for("home"))
    @app.post("/echo")
    def echo():
        return jsonify(json=request.get_json())
    @app.post("/form")
    def form():
        return jsonify(form=request.form, files={key: [file.filename, len(file.read())] for key, file in request.files.items()})
    @app.post("/digest")
    def digest():
        import hashlib
        digest = hashlib.sha256()
        for block in iter(lambda: request.stream.read(8192), b""):
            digest.update(block)
        return digest.hexdigest()
    @app.route("/stream")
    def stream():
        def rows():
            for i in range(3):
                yield f"row {i} of {request.args['name']}\\n"
        return Response(stream_with_context(rows()), mimetype="text/csv")
    @app.route("/broken-stream")
    def broken_stream():
        def rows():
            yield "a"
            raise RuntimeError("in mid-stream")
        return Response(rows())
    @app.route("/file")
    def file():
        return send_file(os.path.abspath("data.bin"), as_attachment=True)
    @app.route("/memory")
    def memory():
        return send_file(io.BytesIO(b"in memory"), mimetype="text/plain")
    @app.route("/fails")
    def fails():
        raise RuntimeError("of the view")
    @app.route("/teapot")
    def teapot():
        abort(418)
    @app.route("/count")
    def count():
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])
    @app.route("/empty")
    def empty():
        return "", 204

    def create_app(greeting="hello"):
        made = Flask("made")
        made.add_url_rule("/", "home", lambda: greeting)
        return made
"""
DATA = bytes(range(256)) * 4000


@unittest.skipUnless(flask, "Flask is not installed")
class Flask(WorkerTest):
    def setUp(self):
        self.worker = self.serve(PROGRAM, "--root-path", "/old")

    def json(self, *arguments, **named):
        reply = self.worker.ask(*arguments, **named)
        self.assertEqual(reply.status, 200, reply.text)
        return json.loads(reply.body)

    def test_it_knows_where_it_is_and_who_asks_without_proxy_fix(self):
        found = self.json("/old/where/?q=1", headers=[
            ("Host", "shop.example"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "2001:db8::7"),
            ("X-Forwarded-Host", "shop.example"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Prefix", "/old")])
        self.assertEqual(found, {
            "url": "https://shop.example/old/where/", "path": "/old/", "root": "/old", "addr": "2001:db8::7", "scheme": "https",
            "secure": True, "host": "shop.example", "full": "https://shop.example/old/where/?q=1",
            "static": "/old/static/a.css"})

    def test_redirects_stay_below_the_prefix(self):
        for target, status, location in (("/old", 308, "http://example.org/old/"), ("/old/go", 302, "/old/"),
                                         ("/old/where", 308, "http://example.org/old/where/")):
            reply = self.worker.ask(target)
            self.assertEqual((reply.status, reply.header("location")), (status, location))

    def test_json_forms_and_uploads_arrive(self):
        as_json = [("Content-Type", "application/json")]
        self.assertEqual(self.json("/old/echo", "POST", headers=as_json, body=b'{"a": [1, 2]}'), {"json": {"a": [1, 2]}})
        self.assertEqual(self.worker.ask("/old/echo", "POST", headers=as_json, body=b"{").status, 400)
        self.assertIn(self.worker.ask("/old/echo", "POST", body=b"{}").status, (400, 415))  # by Flask's version
        self.assertEqual(self.json("/old/form", "POST", body=b"a=1&b=%C3%A9",
                                   headers=[("Content-Type", "application/x-www-form-urlencoded")]),
                         {"form": {"a": "1", "b": "\xe9"}, "files": {}})
        body = (b'--x\r\nContent-Disposition: form-data; name="f"; filename="n.bin"\r\n\r\n' + DATA + b"\r\n--x--\r\n")
        self.assertEqual(self.json("/old/form", "POST", body=body,
                                   headers=[("Content-Type", "multipart/form-data; boundary=x")]),
                         {"form": {}, "files": {"f": ["n.bin", len(DATA)]}})

    def test_bodies_in_chunks_arrive(self):
        with self.worker.connect() as connection:
            connection.ask_in_chunks([DATA[:70000], DATA[70000:70001], DATA[70001:]], "/old/digest")
            self.assertEqual(connection.reply().text, hashlib.sha256(DATA).hexdigest())

    def test_streams_come_in_chunks(self):
        with self.worker.connect() as connection:
            reply = connection.ask("/old/stream?name=x").reply()
            self.assertEqual((reply.text, reply.header("transfer-encoding")),
                             ("row 0 of x\nrow 1 of x\nrow 2 of x\n", "chunked"))
            self.assertTrue(connection.can_be_used("/old/"))
            self.assertFalse(connection.ask("/old/broken-stream").reply().is_whole)
        self.assertIn("RuntimeError: in mid-stream", self.worker.stderr())

    def test_downloads_are_whole_and_take_ranges_and_conditions(self):
        with self.worker.connect() as connection:
            reply = connection.ask("/old/file").reply()
            self.assertEqual((reply.body == DATA, reply.header("content-length")), (True, str(len(DATA))))
            self.assertIn("attachment; filename=data.bin", reply.header("content-disposition"))
            part = connection.ask("/old/file", headers=[("Range", "bytes=1000-1999")]).reply()
            self.assertEqual((part.status, part.body), (206, DATA[1000:2000]))
            same = connection.ask("/old/file", headers=[("If-None-Match", reply.header("etag"))]).reply()
            self.assertEqual((same.status, same.body), (304, b""))
            head = connection.ask("/old/file", "HEAD").reply(is_head=True)
            self.assertEqual(head.header("content-length"), str(len(DATA)))
            self.assertEqual(connection.ask("/old/memory").reply().body, b"in memory")
            self.assertTrue(connection.can_be_used("/old/"))

    def test_its_own_error_pages_pass(self):
        for target, status, text in (("/old/none", 404, "Not Found"), ("/old/fails", 500, "Internal Server Error"),
                                     ("/old/teapot", 418, "teapot")):
            reply = self.worker.ask(target)
            self.assertEqual((reply.status, reply.header("content-type")), (status, "text/html; charset=utf-8"))
            self.assertIn(text, reply.text)
        self.assertEqual(self.worker.ask("/old/echo").status, 405)
        self.assertIn("RuntimeError: of the view", self.worker.stderr())

    def test_sessions_last(self):
        cookie = []
        for count in "123":
            reply = self.worker.ask("/old/count", headers=cookie)
            self.assertEqual(reply.text, count)
            cookie = [("Cookie", reply.header("set-cookie").partition(";")[0])]

    def test_no_content(self):
        self.assertEqual(self.worker.ask("/old/empty").status, 204)

    def test_a_factory_takes_arguments(self):
        self.assertEqual(self.serve(PROGRAM, app="app:create_app(greeting='good day')").ask().text, "good day")


if __name__ == "__main__":
    unittest.main()
