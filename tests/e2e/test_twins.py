"""Two services with runners of the same name, and apps with routes: operators can tell them apart."""
import contextlib
import os
import signal

from harness import PLUGINS, HostTest, Run, command_line, eventually, main

TWINS = ("--plugin", f"/a={PLUGINS / 'libtwin_a.so'}", "--plugin", f"/b={PLUGINS / 'libtwin_b.so'}")


class Twins(HostTest):
    def twins(self, *arguments, **options):
        return self.start(*TWINS, *arguments, plugin=None, **options)

    def workers_of(self, host):
        """The pids of the runner processes, by their plugin."""
        found = {}
        for pid in host.serving_children():
            line = command_line(pid)
            if len(line) > 3 and line[1] == b"runner":
                found.setdefault(os.path.basename(line[2]).decode(), []).append(pid)
        return found

    def test_each_call_goes_to_its_own(self):
        host = self.twins()
        self.assertEqual(host.post("/a/who", "clf").body, b"clf of a")
        self.assertEqual(host.post("/b/who", "clf").body, b"clf of b")

    def test_metrics_name_the_service(self):
        host = self.twins("--runner-workers", "twin_b.clf=2")
        host.post("/a/who", "x")
        for _ in range(2):
            host.post("/b/who", "x")
        metrics = host.metrics()
        calls = 'bentohost_runner_calls_total{method="who",result="ok",runner="clf",service="twin_%s"}'
        self.assertEqual((metrics[calls % "a"], metrics[calls % "b"]), (1, 2))
        up = {name for name in metrics if name.startswith("bentohost_runner_up{")}
        self.assertEqual(up, {f'bentohost_runner_up{{runner="clf",service="twin_{twin}",worker="{worker}"}}'
                              for twin, worker in (("a", 0), ("b", 0), ("b", 1))})
        for name in metrics:
            if "runner=" in name:
                self.assertIn('service="twin_', name)

    def test_workers_are_given_to_a_services_runner(self):
        host = self.twins("--runner-workers", "twin_b.clf=3")
        self.assertEqual({plugin: len(pids) for plugin, pids in self.workers_of(host).items()},
                         {"libtwin_a.so": 1, "libtwin_b.so": 3})

    def test_a_name_that_means_both_is_refused_with_the_candidates(self):
        for name, words in (("clf", ("twin_a.clf", "twin_b.clf", "say which")),
                            ("nosuch", ("no such runner", "twin_a.clf", "twin_b.clf")),
                            ("twin_c.clf", ("no such runner", "twin_a.clf"))):
            done = Run(*TWINS, "--port", "0", "--runner-workers", f"{name}=2")
            self.assert_refused(done, "--runner-workers", name, *words, within=20)

    def test_readyz_names_the_service(self):
        host = self.twins()

        def kill_and_ask():  # again if the successor was up before the request
            for pid in self.workers_of(host).get("libtwin_b.so", []):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            reply = host.get("/readyz")
            return reply if reply.status == 503 else None

        detail = eventually(kill_and_ask, seconds=30, what="a readyz of 503").json()["detail"]
        self.assertIn("twin_b: runner clf", detail)
        self.assertNotIn("twin_a", detail)
        eventually(lambda: host.get("/readyz").status == 200, seconds=30, what="a readyz of 200")

    def test_mounts_and_the_routes_of_routers_are_routes_of_their_own(self):
        host = self.twins("--log-format", "json")
        for path in ("/a/app/flowers/1", "/a/app/flowers/2", "/a/app", "/b/app/flowers/1", "/a/app/nowhere"):
            host.get(path)
        host.post("/a/app/flowers/1", "")
        metrics = host.metrics()
        count = 'bentohost_http_requests_total{code="%d",method="%s",route="%s"}'
        for code, method, route, expected in ((200, "GET", "/a/app/flowers/{id}", 2), (200, "GET", "/a/app/", 1),
                                              (200, "GET", "/b/app/flowers/{id}", 1),
                                              (404, "GET", "/a/app/*", 1),
                                              (200, "POST", "/a/app/flowers/{id}", 1)):
            self.assertEqual(metrics.get(count % (code, method, route)), expected, route)
        eventually(lambda: any('"route":"/a/app/flowers/{id}"' in line for line in host.stdout_lines))

    def test_an_app_cannot_fill_the_metrics_with_routes(self):
        host = self.twins()
        client = host.client()
        self.addCleanup(client.close)
        for i in range(300):
            self.assertEqual(client.request("GET", f"/a/wild/{i}").body, b"0")
        self.assertEqual(client.request("GET", "/a/wild/a%20b").body, b"3")  # no route: INVALID_ARGUMENT
        routes = [name for name in host.metrics() if 'route="/a/wild/' in name
                  and name.startswith("bentohost_http_requests_total")]
        self.assertEqual(len(routes), 257)


if __name__ == "__main__":
    main()
