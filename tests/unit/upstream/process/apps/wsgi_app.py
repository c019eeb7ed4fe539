"""A WSGI app without a framework: says where it is."""


def app(environ, start_response):
    text = f"wsgi {environ['PATH_INFO']} under {environ['SCRIPT_NAME']}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


def create():
    return app


number = 3
