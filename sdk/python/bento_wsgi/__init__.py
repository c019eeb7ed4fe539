"""bentohost's WSGI worker: serves one WSGI app (PEP 3333) over HTTP/1.1 on a Unix socket.

The host starts it for an app that is mounted as `wsgi:`, and is its only client:

    python3 -m bento_wsgi --app MODULE:ATTRIBUTE --unix PATH [--threads N] [--root-path /prefix]

It believes what the host says about clients (X-Forwarded-*), so nothing else may reach its socket.
Needs Python 3.9 or later, and its standard library alone.
"""
