"""HTTPS: which clients are accepted, new certificates without a lost connection, and errors of files
in one line."""
import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
import unittest

from harness import LAB, SLOW, Client, HostTest, Run, eventually, main
from http_wire import Wire, connect, get, sized


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificate(folder, name, subject="localhost", ca=None, password=None):
    """Makes NAME.pem and NAME.key in the folder, signed by the CA of that name or self-signed."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    signed = ("-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key") if ca else ()
    secret = ("-passout", f"pass:{password}") if password else ("-nodes",)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *secret,
            "-days", "1", "-subj", f"/CN={subject}",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", key, "-out", pem, *signed)
    return pem, key


class Tls(HostTest):
    def setUp(self):
        self.files = self.folder()
        self.pem, self.key = make_certificate(self.files, "server")
        self.context = ssl.create_default_context(cafile=self.pem)

    def start_https(self, *arguments, **options):
        return self.start("--ssl-certfile", str(self.pem), "--ssl-keyfile", str(self.key),
                          *arguments, tls=options.pop("tls", self.context), **options)


class Https(Tls):
    def test_it_serves_clients_that_know_its_certificate(self):
        host = self.start_https()
        self.assertEqual(host.urls, [f"https://127.0.0.1:{host.port}"])
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])
        large = "x" * 3_000_000
        self.assertEqual(host.post("/repeat", large).body.decode(), large + large)
        with self.assertRaises(ssl.SSLCertVerificationError):
            Client(host.urls[0], tls=ssl.create_default_context()).request("GET", "/livez")

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_it_serves_curl(self):
        host = self.start_https()
        curl = ("curl", "-sS", "--cacert", self.pem, "-w", " %{http_code}", "-d", "[[1]]",
                host.urls[0] + "/echo")
        for versions in ((), ("--tls-max", "1.2"), ("--http1.0",)):
            done = subprocess.run([*curl, *versions], capture_output=True, text=True, check=False)
            self.assertEqual((done.stdout, done.stderr), ("[[1]] 200", ""))
        old = subprocess.run([*curl, "--tls-max", "1.1"], capture_output=True, check=False)
        self.assertNotEqual(old.returncode, 0)

    def test_handlers_are_told_the_scheme(self):
        host = self.start_https("--bind", f"unix:{self.files}/plain.sock")
        self.assertIn("scheme https\n", host.post("/seen", "").body.decode())
        with Client(f"unix:{self.files}/plain.sock") as client:  # TLS is for TCP only
            self.assertIn("scheme http\n", client.request("POST", "/seen", "").body.decode())
        plain = self.start()
        self.assertIn("scheme http\n", plain.post("/seen", "").body.decode())

    def test_plain_http_on_its_port_is_told_so(self):
        host = self.start_https()
        for sent in (get(), sized("x" * 500_000), b"DELETE / HTTP/1.0\r\n\r\n", b"G"):
            with connect(host.port) as connection:
                wire = Wire(connection)
                wire.send(sent)
                answer = wire.answer()
                self.assertEqual((answer.status, answer.header("connection")), (400, "close"))
                problem = json.loads(answer.body)
                self.assertIn("https://", problem["detail"])
                self.assertEqual(problem["request_id"], answer.header("x-request-id"))
                self.assertEqual(wire.to_the_end(), b"")
        self.assertEqual(host.get("/livez").status, 200)
        eventually(lambda: host.metrics()["bentohost_http_connections"] == 1)

    def test_what_is_neither_ends_without_an_answer_and_harms_nobody(self):
        host = self.start_https()
        for sent in (b"\0" * 1000, b"\x16\x03\x01\xff\xff" + b"x" * 1000):
            with connect(host.port) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                received = b""
                with contextlib.suppress(ConnectionResetError):
                    while piece := connection.recv(4096):
                        received += piece
                self.assertNotIn(b"HTTP", received)
        self.assertEqual(host.get("/livez").status, 200)
        eventually(lambda: host.metrics()["bentohost_http_connections"] == 1)

    def test_a_handshake_that_never_ends_is_cut_off_by_the_header_timeout(self):
        host = self.start_https("--header-timeout", "0.3")
        with connect(host.port) as connection:
            connection.sendall(b"\x16\x03\x01\x02")  # the start of a ClientHello
            self.assertEqual(connection.recv(1), b"")

    def test_the_least_version_can_be_raised(self):
        host = self.start_https("--ssl-version", "1.3")
        self.assertEqual(host.get("/livez").status, 200)
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            host.get("/livez")

    def test_a_request_in_flight_is_answered_when_it_stops(self):
        host = self.start_https()
        with host.client() as client:
            client.connection.request("POST", "/nap", json.dumps([[300]]))
            eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] == 2)
            host.process.send_signal(signal.SIGTERM)
            response = client.connection.getresponse()
            self.assertEqual((response.status, response.getheader("connection")), (200, "close"))
        self.assertEqual(host.process.wait(20 * SLOW), 0)


class ClientCertificates(Tls):
    def setUp(self):
        super().setUp()
        make_certificate(self.files, "ca", "the club")
        make_certificate(self.files, "member", "ada", ca="ca")
        make_certificate(self.files, "stranger", "eve")

    def client(self, host, name=None):
        context = ssl.create_default_context(cafile=self.pem)
        if name:
            context.load_cert_chain(self.files / f"{name}.pem", self.files / f"{name}.key")
        return Client(host.urls[0], tls=context)

    def is_let_in(self, host, name=None):
        with self.client(host, name) as client:
            try:
                return client.request("GET", "/livez").status == 200
            # With TLS 1.3 a client learns of the refusal after its handshake.
            except (ssl.SSLError, ConnectionError):
                return False

    def are_let_in(self, host, expected):
        self.assertEqual({name: self.is_let_in(host, name) for name in expected}, expected)

    def start_with(self, cert_reqs):
        return self.start_https("--ssl-ca-certs", str(self.files / "ca.pem"),
                                "--ssl-cert-reqs", cert_reqs, tls=None)

    def test_required_ones_have_to_be_there_and_signed(self):
        host = self.start_with("2")
        self.are_let_in(host, {"member": True, None: False, "stranger": False})
        self.are_let_in(host, {"member": True})

    def test_optional_ones_have_to_be_signed_if_they_are_there(self):
        host = self.start_with("1")
        self.are_let_in(host, {"member": True, None: True, "stranger": False})

    def test_without_the_option_nobody_is_asked(self):
        host = self.start_with("0")
        self.are_let_in(host, {"member": True, None: True, "stranger": True})


class Reload(Tls):
    def certificate_of(self, host):
        """The certificate that a new connection gets."""
        return ssl.get_server_certificate(("127.0.0.1", host.port), timeout=10 * SLOW)

    def replace(self, pem, key):
        for new, old in ((pem, self.pem), (key, self.key)):
            new.rename(old)

    def test_sighup_gives_new_connections_the_new_certificate_and_drops_no_old_one(self):
        host = self.start_https()
        first = self.pem.read_text()
        with host.client() as client:
            self.assertEqual(client.request("GET", "/livez").status, 200)
            old_socket = client.connection.sock
            self.replace(*make_certificate(self.files, "new"))
            second = self.pem.read_text()
            self.assertNotEqual(first, second)
            self.assertEqual(self.certificate_of(host), first)  # not before SIGHUP
            host.process.send_signal(signal.SIGHUP)
            host.log_line("SIGHUP: new connections get the certificate")
            self.assertEqual(self.certificate_of(host), second)
            self.assertEqual(client.request("POST", "/echo", [[1]]).json(), [[1]])
            self.assertIs(client.connection.sock, old_socket)
        with Client(host.urls[0], tls=ssl.create_default_context(cafile=self.pem)) as client:
            self.assertEqual(client.request("GET", "/livez").status, 200)

    def test_a_broken_new_certificate_keeps_the_old_one_and_says_why(self):
        host = self.start_https()
        first = self.pem.read_text()
        good = self.pem.read_bytes(), self.key.read_bytes()
        _, other_key = make_certificate(self.files, "other")
        for pem, key, words in ((b"no certificate", good[1], "certificate file"),
                                (good[0][:200], good[1], "certificate file"),
                                (good[0], b"no key", "private key file"),
                                (good[0], other_key.read_bytes(), "not the key of")):
            del host.stderr_lines[:]
            self.pem.write_bytes(pem)
            self.key.write_bytes(key)
            host.process.send_signal(signal.SIGHUP)
            self.assertIn(words, host.log_line("SIGHUP: the old certificate stays"))
            self.assertEqual(self.certificate_of(host), first)
            self.assertEqual(host.get("/livez").status, 200)
        self.pem.write_bytes(good[0])
        self.key.write_bytes(good[1])
        host.process.send_signal(signal.SIGHUP)
        host.log_line("SIGHUP: new connections get the certificate")
        self.assertEqual(host.get("/livez").status, 200)

    def test_sighup_without_tls_ends_nothing(self):
        host = self.start()
        host.process.send_signal(signal.SIGHUP)
        host.log_line("SIGHUP: plugins whose files have changed are reloaded")
        self.assertEqual(host.get("/livez").status, 200)


class Refusals(Tls):
    def refuses(self, *arguments, words, **options):
        done = Run("--plugin", LAB, "--port", "0", *map(str, arguments))
        self.assert_refused(done, *words, **options)

    def test_files_that_are_wrong(self):
        _, other_key = make_certificate(self.files, "other")
        text = self.files / "text"
        text.write_text("hello")
        none = self.files / "none"
        for pem, key, words in ((none, self.key, (f"certificate file {none}", "No such file")),
                                (text, self.key, (f"certificate file {text}",)),
                                (self.pem, none, (f"private key file {none}", "No such file")),
                                (self.pem, text, (f"private key file {text}",)),
                                (self.pem, other_key, ("other.key", "not the key of"))):
            self.refuses("--ssl-certfile", pem, "--ssl-keyfile", key, words=("TLS", *words))
        self.refuses("--ssl-certfile", self.pem, words=("TLS", "private key", "server.pem"))

    def test_passwords(self):
        pem, key = make_certificate(self.files, "locked", password="sesame")
        files = ("--ssl-certfile", pem, "--ssl-keyfile", key)
        self.refuses(*files, words=("locked.key", "encrypted", "no password"))
        self.refuses(*files, "--ssl-keyfile-password", "barley",
                     words=("locked.key", "password does not open"))
        host = self.start(*map(str, files), "--ssl-keyfile-password", "sesame",
                          tls=ssl.create_default_context(cafile=pem))
        self.assertEqual(host.get("/livez").status, 200)
        self.assertNotIn("sesame", host.stderr() + "".join(host.stdout_lines))

    def test_options_that_make_no_sense(self):
        files = ("--ssl-certfile", self.pem, "--ssl-keyfile", self.key)
        self.refuses(*files, "--ssl-cert-reqs", "2", words=("TLS", "CA certificates file"))
        self.refuses(*files, "--ssl-ca-certs", self.key, words=("CA certificates", "server.key"))
        self.refuses(*files, "--ssl-ciphers", "ROT13", words=("TLS", "ROT13"))
        self.refuses(*files, "--ssl-version", "1.1", words=("--ssl-version", "1.2"), code=2)
        self.refuses(*files, "--ssl-cert-reqs", "3", words=("--ssl-cert-reqs", "2 for"), code=2)

    def test_tls_that_is_asked_for_without_a_certificate_is_no_plain_http(self):
        for arguments in (("--ssl-keyfile", self.key), ("--ssl-cert-reqs", "2"),
                          ("--ssl-ca-certs", self.pem), ("--ssl-version", "1.3")):
            self.refuses(*arguments, words=("--ssl-certfile",), code=2)


if __name__ == "__main__":
    main()
