"""bento_wsgi: what it starts, what it says when it cannot, and how it ends."""
import os
import select
import signal
import socket
import stat
import tempfile
import threading
import unittest
from pathlib import Path

from wsgi_worker import WorkerTest, eventually

HELLO = """
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"hello"]
"""


class Names(WorkerTest):
    def test_apps_and_factories_are_found_by_name(self):
        program = """
            import functools
            def app_that_says(text):
                def app(environ, start_response):
                    start_response("200 OK", [])
                    return [repr(text).encode()]
                return app
            application = app_that_says("application")
            def make(*arguments, **named):
                return app_that_says((arguments, named))
            class Group:
                app = app_that_says("grouped")
                make = staticmethod(make)
            partial = functools.partial(lambda text, environ, start_response: app_that_says(text)(environ, start_response), 1)
        """
        for name, text in (("app", "'application'"), ("app:application", "'application'"), ("app:Group.app", "'grouped'"),
                           ("app:make()", "((), {})"), ("app:Group.make(1)", "((1,), {})"), ("app:partial", "1"),
                           ("app:make('a', [1, None], debug=True, more={'b': -2.5})",
                            "(('a', [1, None]), {'debug': True, 'more': {'b': -2.5}})")):
            worker = self.serve(program, app=name)
            self.assertEqual(worker.ask().text, text, name)
            worker.close()

    def test_the_working_folder_comes_first_and_the_command_line_is_empty(self):
        worker = self.serve("""
            import os, sys
            def app(environ, start_response):
                start_response("200 OK", [])
                return [repr((sys.path.index(os.getcwd()), sys.argv[1:], __name__)).encode()]
        """, name="shop.py", app="shop:app")
        self.assertEqual(worker.ask().text, "(0, [], 'shop')")

    def test_calls_of_runners_belong_to_the_request(self):
        worker = self.serve("""
            import sys, types
            class WsgiContext:
                def __init__(self, app):
                    self.app = app
                def __call__(self, environ, start_response):
                    environ["of the request"] = environ["HTTP_X_BENTO_DEADLINE_MS"]
                    return self.app(environ, start_response)
            sys.modules["bento_runner"] = types.SimpleNamespace(WsgiContext=WsgiContext)
            def app(environ, start_response):
                start_response("200 OK", [])
                return [environ["of the request"].encode()]
        """)
        self.assertEqual(worker.ask(headers=[("X-Bento-Deadline-Ms", "1500")]).text, "1500")


class StartErrors(WorkerTest):
    def ended(self, program, app="app:app", options=()):
        worker = self.start(program, *options, app=app)
        return worker.wait(), worker.stderr()

    def test_an_import_that_fails_shows_the_programs_traceback_and_one_line(self):
        for program, line in (("import nothing_like_this", 'ModuleNotFoundError: No module named \'nothing_like_this\''),
                              ("x = (", "SyntaxError: "), ("1 / 0", "ZeroDivisionError: division by zero")):
            code, log = self.ended(program)
            self.assertEqual(code, 1)
            self.assertTrue(log.splitlines()[-1].startswith(f'bento_wsgi: cannot import "app": {line}'), log)
            self.assertIn('app.py", line 1', log)
            self.assertNotIn("bento_wsgi/", log)
            self.assertNotIn("importlib", log)

    def test_what_is_no_app_is_one_line(self):
        program = """
            number = 1
            class Views:
                pass
            async def asgi(scope, receive, send):
                pass
            class Asgi:
                async def __call__(self, scope, receive, send):
                    pass
            asgi_object = Asgi()
            def make():
                return 5
            def make_asgi():
                return asgi_object
            async def make_later():
                pass
            def fails():
                raise RuntimeError("no database")
        """
        for app, words in (
                ("other:app", 'there is no module "other" in '), ("app.sub:app", 'there is no module "app.sub" in '),
                ("app:none", 'module "app" ('), ("app:none", 'has no attribute "none"'),
                ("app:Views.none", 'has no attribute "Views.none"'), ("app", 'has no attribute "application"'),
                ("app:number", '"app:number" is not a WSGI app: a int cannot be called'),
                ("app:asgi", "is an ASGI app, not a WSGI app: mount it as asgi:"),
                ("app:asgi_object", "is an ASGI app, not a WSGI app: mount it as asgi:"),
                ("app:make_asgi()", "is an ASGI app, not a WSGI app: mount it as asgi:"),
                ("app:make", 'it does not take an environ and a start_response. If it is a factory, write "app:make()"'),
                ("app:make()", 'the factory "make" returned no WSGI app: a int cannot be called'),
                ("app:make_later()", 'the factory "make_later" is a coroutine function'),
                ("app:number()", '"number" is no factory'), ("app:make(", "is neither an attribute nor a call"),
                ("app:make(x)", "is neither an attribute nor a call"), ("app:make(**{})", "is neither an attribute nor a"),
                ("app:1", "is neither an attribute nor a call"), (":app", "names no app"), ("a b:app", "names no app"),
                ("../app:app", "names no app")):
            code, log = self.ended(program, app=app)
            self.assertEqual((code, log.count("\n")), (1, 1), log)
            self.assertIn(words, log)
            self.assertTrue(log.startswith("bento_wsgi: "), log)

    def test_a_factory_that_fails_shows_its_traceback(self):
        code, log = self.ended("def make():\n    raise RuntimeError('no database')", app="app:make()")
        self.assertEqual((code, log.splitlines()[-1]),
                         (1, 'bento_wsgi: the factory "make" failed: RuntimeError: no database'))
        self.assertIn('app.py", line 2, in make', log)

    def test_a_program_that_exits_does_so_with_its_own_code(self):
        self.assertEqual(self.ended("import sys; sys.exit(78)")[0], 78)
        self.assertEqual(self.ended("import sys; sys.exit('no licence')"), (1, "no licence\n"))

    def test_a_bad_option_is_named(self):
        for options, word in ((("--root-path", "old"), "--root-path"), (("--root-path", "/old/"), "--root-path"),
                              (("--root-path", "/"), "--root-path"), (("--threads", "0"), "--threads"),
                              (("--threads", "many"), "--threads"), (("--no-such", "1"), "--no-such")):
            code, log = self.ended(HELLO, options=options)
            self.assertEqual(code, 2)
            self.assertIn(word, log)

    def test_a_socket_that_cannot_be_is_one_line(self):
        for path, words in (("/no/such/folder/s", "No such file"), ("/tmp/" + "x" * 200, "too long"),
                            ("/dev/null", "in use")):
            code, log = self.ended(HELLO, options=("--unix", path))
            self.assertEqual((code, log.count("\n")), (1, 1), log)
            self.assertIn(f"bento_wsgi: cannot listen on {path}: ", log)
            self.assertIn(words, log)


class Sockets(WorkerTest):
    def test_nothing_listens_before_the_app_is_there(self):
        worker = self.start("""
            import os, time
            open("begun", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
            def app(environ, start_response):
                start_response("200 OK", [])
                return [b"hello"]
        """)
        eventually(lambda: os.path.exists(os.path.join(worker.folder, "begun")), "the app's import")
        self.assertFalse(os.path.exists(worker.socket))
        Path(worker.folder, "go").touch()
        self.assertEqual(worker.wait_until_ready().ask().text, "hello")

    def test_only_its_user_can_connect(self):
        worker = self.serve(HELLO)
        self.assertEqual(stat.S_IMODE(os.stat(worker.socket).st_mode), 0o600)

    def test_the_socket_of_a_dead_process_is_replaced_and_that_of_a_living_one_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(path)
            first = self.start(HELLO, "--unix", path)
            first.socket = path
            first.wait_until_ready()
            second = self.start(HELLO, "--unix", path)
            self.assertEqual(second.wait(), 1)
            self.assertIn(f"cannot listen on {path}: Address already in use", second.stderr())
            self.assertEqual(first.ask().text, "hello")
            first.terminate()
            self.assertEqual(first.wait(), 0)
            self.assertFalse(os.path.exists(path))

    def test_a_default_timeout_of_the_app_is_none_of_ours(self):
        worker = self.serve("""
            import socket
            socket.setdefaulttimeout(0.05)
            def app(environ, start_response):
                start_response("200 OK", [])
                return [b"hello"]
        """)
        with worker.connect() as connection:
            for _ in range(3):
                ended, _, _ = select.select([connection.sock], [], [], 0.1)  # longer than that default
                self.assertEqual(ended, [])
                self.assertEqual(connection.ask().reply().text, "hello")
        self.assertEqual(worker.stderr(), "")


class End(WorkerTest):
    SLOW = """
        import atexit, os, sys, time
        atexit.register(lambda: print("at exit", file=sys.stderr))
        def app(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/slow":
                yield b"begun"
                while not os.path.exists("go"):
                    time.sleep(0.01)
            yield b"done"
    """

    def test_sigterm_ends_idle_connections_and_the_process(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            worker = self.serve(self.SLOW)
            with worker.connect() as used, worker.connect() as fresh:
                used.ask().reply()
                worker.process.send_signal(number)
                self.assertTrue(used.is_closed())
                self.assertTrue(fresh.is_closed())
                self.assertEqual(worker.wait(), 0)
                self.assertFalse(os.path.exists(worker.socket))
                self.assertEqual(worker.stderr(), "at exit\n")

    def test_sigterm_lets_requests_in_flight_finish(self):
        worker = self.serve(self.SLOW)
        with worker.connect() as slow, worker.connect() as idle:
            slow.ask("/slow").head()
            self.assertEqual(slow.block(), b"begun")
            idle.ask().reply()
            worker.terminate()
            self.assertTrue(idle.is_closed())
            with self.assertRaises(OSError):
                worker.connect()
            self.assertIsNone(worker.process.poll())
            Path(worker.folder, "go").touch()
            self.assertEqual((slow.block(), slow.block()), (b"done", b""))
            self.assertTrue(slow.is_closed())
            self.assertEqual(worker.wait(), 0)

    def test_an_answer_that_begins_after_sigterm_says_that_the_connection_closes(self):
        worker = self.serve("""
            import os, time
            def app(environ, start_response):
                open("begun", "w").close()
                while not os.path.exists("go"):
                    time.sleep(0.01)
                start_response("200 OK", [])
                return [environ["wsgi.input"].read()]
        """)
        with worker.connect() as connection, worker.connect() as idle:
            connection.ask("/", "POST", [("Content-Length", "5")])
            eventually(lambda: os.path.exists(f"{worker.folder}/begun"), "the request")
            worker.terminate()
            self.assertTrue(idle.is_closed())
            connection.send(b"12345")  # its body is still taken
            Path(worker.folder, "go").touch()
            reply = connection.reply()
            self.assertEqual((reply.body, reply.header("connection")), (b"12345", "close"))
            self.assertEqual(worker.wait(), 0)

    def test_a_connection_that_still_waits_for_a_thread_is_served_too(self):
        worker = self.serve(self.SLOW, "--threads", "1")
        with worker.connect() as slow, worker.connect() as asking, worker.connect() as silent:
            slow.ask("/slow").head()
            slow.block()
            asking.ask("/")
            worker.terminate()
            eventually(lambda: not worker.is_ready(), "the end of listening")
            Path(worker.folder, "go").touch()
            reply = asking.reply()
            self.assertEqual((reply.text, reply.header("connection")), ("done", "close"))
            self.assertTrue(silent.is_closed())
            self.assertEqual(worker.wait(), 0)

    def test_a_second_sigterm_ends_it_at_once(self):
        worker = self.serve(self.SLOW)
        with worker.connect() as slow, worker.connect() as idle:
            slow.ask("/slow").head()
            slow.block()
            worker.terminate()
            self.assertTrue(idle.is_closed())
            worker.terminate()
            self.assertEqual(worker.wait(), -signal.SIGTERM)
            self.assertIsNone(slow.block())

    def test_each_request_that_was_sent_before_sigterm_is_answered_or_the_connection_closed(self):
        worker = self.serve(HELLO, "--threads", "8")
        counts = {"answered": 0, "cut": 0}

        def ask_on():
            with worker.connect() as connection:
                while True:
                    try:
                        connection.ask()
                        connection.line()
                    except (OSError, EOFError):
                        counts["cut"] += bool(connection.received)
                        return
                    connection.received = b"HTTP/1.1 200 OK\r\n" + connection.received
                    counts["answered"] += connection.reply().text == "hello"
        threads = [threading.Thread(target=ask_on) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: counts["answered"] > 500, "load")
        worker.terminate()
        for thread in threads:
            thread.join()
        self.assertEqual((worker.wait(), counts["cut"], worker.stderr()), (0, 0, ""))


if __name__ == "__main__":
    unittest.main()
