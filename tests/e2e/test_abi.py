"""Plugins of other minors of the ABI: they load, and all that they have serves."""
import platform

from harness import PLUGINS, SOURCE, HostTest, main

BINARY = SOURCE / "tests" / "plugins" / "1.0" / "libfirst.so"


class Abi(HostTest):
    def serves_all_of_1_0(self, plugin):
        host = self.start("--set", "first.prefix=oh: ", plugin=str(plugin))
        self.assertEqual(host.post("/shout", "loud").body, b"LOUD")
        reply = host.post("/greet", "hello")
        self.assertEqual((reply.status, reply.body), (200, b"oh: HELLO"))
        self.assertEqual((reply.header("X-First"), reply.header("X-Hook")), ("yes", "1.0"))
        self.assertEqual(host.post("/echo", b"x" * 100_000).body, b"x" * 100_000)
        self.assertEqual(host.post("/app/anything", "mounted").body, b"mounted")
        host.log_line("a plugin of ABI 1.0 is ready")

    def test_a_plugin_that_the_sdk_of_1_0_built_serves(self):
        if platform.machine() != "x86_64":
            self.skipTest(f"{BINARY.name} is a plugin for x86-64")
        self.serves_all_of_1_0(BINARY)

    def test_a_plugin_for_1_0_that_this_header_built_serves(self):
        self.serves_all_of_1_0(PLUGINS / "libfirst_target_0.so")

    def test_a_service_for_1_0_of_the_cpp_sdk_serves(self):
        host = self.start(plugin=str(PLUGINS / "libtwin_target_0.so"))
        self.assertEqual(host.post("/who", "clf").body, b"clf of target_0")
        self.assertEqual(host.get("/app/flowers/7").body, b"7")


if __name__ == "__main__":
    main()
