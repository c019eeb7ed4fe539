"""The stock middleware without a counterpart in Starlette, as an operator uses it: plugins and --use."""
import base64
import hashlib
import hmac
import json
import time

from harness import LAB, PLUGINS, Client, HostTest, Run, eventually, main

ANSWERS = str(PLUGINS / "libanswers.so")
SECRET = "a secret of thirty-two bytes or more"


def encoded(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def token(claims, secret=SECRET):
    message = encoded({"alg": "HS256"}) + b"." + encoded(claims)
    signature = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return (message + b"." + encoded(signature)).decode()


class Stock(HostTest):
    def start_with(self, name, options, plugin=ANSWERS, **more):
        return self.start("--use", f"{name}={json.dumps(options)}", plugin=plugin, **more)

    def status(self, host, path="/plain/9", **headers):
        return host.get(path, {name.replace("_", "-"): value for name, value in headers.items()}).status

    def test_basic_auth_follows_its_file(self):
        users = self.folder() / "users"
        users.write_text("# people\nme:old\n")
        host = self.start_with("basic_auth", {"users_file": str(users), "realm": "iris"})
        old, new = (f"Basic {base64.b64encode(user).decode()}" for user in (b"me:old", b"me:new"))
        reply = host.get("/plain/9")
        self.assertEqual((reply.status, reply.header("www-authenticate")),
                         (401, 'Basic realm="iris", charset="UTF-8"'))
        self.assertEqual(reply.header("content-type"), "application/problem+json")
        self.assertEqual(reply.json()["request_id"], reply.header("x-request-id"))
        self.assertEqual([self.status(host, Authorization=user) for user in (old, new)], [200, 401])

        users.write_text("nonsense\n")
        self.assertIn(str(users), eventually(
            lambda: self.status(host, Authorization=old) and
            next((line for line in host.stderr_lines if "still in use" in line), None)))
        fresh = users.with_suffix(".new")
        fresh.write_text("me:new\n")
        fresh.rename(users)
        eventually(lambda: self.status(host, Authorization=new) == 200, what="the new password")
        self.assertEqual(self.status(host, Authorization=old), 401)
        self.assertNotIn("nonsense", host.stderr())

    def test_tokens_and_keys_are_asked_for(self):
        host = self.start("--use", 'bearer_token={"tokens":["abc"]}', "--use", 'api_key={"keys":["k1"]}',
                          plugin=ANSWERS)
        self.assertEqual(self.status(host), 401)
        self.assertEqual(self.status(host, Authorization="Bearer abc"), 401)
        self.assertEqual(self.status(host, Authorization="Bearer abc", X_API_Key="k1"), 200)
        reply = host.get("/plain/9", {"Authorization": "Bearer abd", "X-API-Key": "k1"})
        self.assertEqual(reply.header("www-authenticate"), 'Bearer realm="bentohost", error="invalid_token"')

    def test_a_handler_sees_the_subject_of_a_token_and_no_other(self):
        host = self.start_with("jwt", {"algorithm": "HS256", "key": SECRET}, plugin=LAB)
        claims = {"sub": "me", "exp": int(time.time()) + 600}

        def seen(bearer):
            return host.post("/seen", "", {"Authorization": f"Bearer {bearer}", "X-Auth-Subject": "root"})

        reply = seen(token(claims))
        subjects = [line for line in reply.body.decode().splitlines() if line.startswith("x-auth-subject")]
        self.assertEqual((reply.status, subjects), (200, ["x-auth-subject: me"]))
        for bad in (token(claims, "another secret of thirty-two bytes"), token({**claims, "exp": 1}), "x"):
            reply = seen(bad)
            self.assertEqual(reply.status, 401)
            self.assertIn('error="invalid_token"', reply.header("www-authenticate"))

    def test_who_asks_too_often_is_told_when_to_come_back(self):
        host = self.start_with("rate_limit", {"rate": 0.01, "burst": 2, "header": "x-api-key"})
        self.assertEqual([self.status(host, X_API_Key="a") for _ in range(3)], [200, 200, 429])
        reply = host.get("/plain/9", {"X-API-Key": "a"})
        self.assertTrue(0 < int(reply.header("retry-after")) <= 100)
        self.assertEqual(self.status(host, X_API_Key="b"), 200)

    def test_browsers_are_made_careful(self):
        host = self.start_with("secure_headers", {"content_security_policy": "default-src 'self'"})
        for path in ("/plain/9", "/nowhere", "/livez"):
            reply = host.get(path)
            self.assertEqual([reply.header(name) for name in (
                "x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy",
                "strict-transport-security")], ["nosniff", "DENY", "no-referrer", "default-src 'self'", None])

    def test_a_request_has_so_much_time(self):
        host = self.start_with("request_timeout", {"timeout": 0.2}, plugin=LAB)
        self.assertEqual(host.post("/slow", "[[3000]]").status, 504)

    def test_a_body_has_so_many_bytes(self):
        host = self.start_with("body_limit", {"max_body": 10}, plugin=LAB)
        for path in ("/repeat", "/upload"):
            with self.subTest(path=path):
                self.assertEqual(host.post(path, "x" * 10).status, 200)
                self.assertEqual(host.post(path, "x" * 11).status, 413)
                self.assertEqual(host.post(path, iter([b"x" * 11])).status, 413)  # chunked

    def test_clients_are_served_by_their_addresses(self):
        host = self.start_with("ip_allow", {"allow": ["10.0.0.0/8", "127.0.0.1"]})
        self.assertEqual(self.status(host), 200)
        host = self.start_with("ip_allow", {"deny": ["127.0.0.0/8"]})
        self.assertEqual(self.status(host), 403)
        path = self.folder() / "socket"
        for options, status in (({"allow": ["127.0.0.1"]}, 403), ({"allow": ["unix"]}, 200)):
            host = self.start_with("ip_allow", options, listen=("--bind", f"unix:{path}"))
            with Client(f"unix:{path}") as client:
                self.assertEqual(client.request("GET", "/plain/9").status, status, options)
            host.stop()

    def test_options_that_cannot_be_are_refused_at_the_start(self):
        for use, words in (('trusted_host={"allowed_hosts":["*a"]}', ("allowed_hosts", '"*a"')),
                           ('trusted_host={"hosts":[]}', ("trusted_host", "hosts")),
                           ("jwt", ("jwt", "algorithm must be HS256 or RS256")),
                           ('basic_auth={"users_file":"/nonexistent"}', ("/nonexistent cannot be found",)),
                           ('ip_allow={"deny":["10.0.0.1/8"]}', ("has bits set beyond its prefix",))):
            with self.subTest(use=use):
                self.assert_refused(Run("--plugin", ANSWERS, "--port", "0", "--use", use), *words)

    def test_the_readme_has_it_right(self):
        host = self.start("--set", 'wrapped.origins=["https://a.example"]',
                          plugin=str(PLUGINS / "libwrapped.so"))
        reply = host.get("/greet", {"X-Visitor": "you", "Origin": "https://a.example"})
        self.assertEqual((reply.status, reply.body), (200, b"Hello, you!\n"))
        self.assertEqual(reply.header("access-control-allow-origin"), "https://a.example")
        self.assertEqual(reply.header("x-greeted"), "yes")
        self.assertGreater(float(reply.header("x-took-us")), 0)
        reply = host.get("/greet")
        self.assertEqual((reply.status, reply.body), (403, b"who are you?\n"))
        self.assertGreater(float(reply.header("x-took-us")), 0)
        self.assertEqual(host.get("/greet", {"Host": "evil.net"}).status, 400)


if __name__ == "__main__":
    main()
