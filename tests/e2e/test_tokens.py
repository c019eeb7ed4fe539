"""The sample of a language model that streams: tokens as they come, and a model that stops for those who leave."""
import json
import socket
import unittest

import browser
from harness import SLOW, HostTest, eventually, main

CONVERSATIONS = 'tokens_conversations{service="tokens",runner="engine",worker="0"}'
MADE, STOPPED = ('tokens_%s_total{service="tokens",runner="engine"}' % name for name in ("made", "stopped"))


def prompt(tokens, seed=1):
    return {"text": "tell me of the Rabbit", "max_tokens": tokens, "seed": seed}


class Tokens(HostTest):
    def serve(self, *arguments):
        self.host = self.start(*arguments, plugin="libtokens.so")

    def metric(self, name):
        return self.host.metrics().get(name, 0)

    def ask(self, path, body):
        """A connection on which an answer has begun to come."""
        text = json.dumps(body).encode()
        connection = socket.create_connection(("127.0.0.1", self.host.port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                           % (path.encode(), len(text), text))
        self.assertTrue(connection.recv(1).startswith(b"H"))
        return connection

    def test_chat_and_the_direct_api_tell_the_same_tokens(self):
        self.serve("--set", "tokens.turn_ms=0")
        chat = self.host.post("/chat", prompt(50)).body.decode()
        events = chat.split("\n\n")[:-1]
        self.assertEqual(len(events), 51)
        self.assertEqual(events[-1], 'event: done\ndata: {"tokens":50}')
        direct = self.host.post("/generate", prompt(50))
        self.assertEqual(direct.header("content-type"), "text/event-stream")
        pieces = direct.body.decode().split("\n\n")[:-1]
        self.assertEqual(pieces[-1], "data: [DONE]")
        self.assertEqual([piece.removeprefix("data: ") for piece in pieces[:-1]],
                         [event.removeprefix("event: token\ndata: ") for event in events[:-1]])

    def test_a_short_answer_does_not_wait_for_a_long_one(self):
        self.serve()
        long = [self.ask("/chat", prompt(100000, seed)) for seed in range(5)]
        self.assertEqual(self.host.post("/chat", prompt(3)).body.count(b"event: token"), 3)
        eventually(lambda: self.metric(CONVERSATIONS) == 5, what="five conversations in the batch")
        for connection in long:
            connection.close()
        eventually(lambda: self.metric(STOPPED) == 5 and self.metric(CONVERSATIONS) == 0, what="an empty batch")
        made = self.metric(MADE)
        self.assertEqual(self.host.post("/chat", prompt(3)).status, 200)
        eventually(lambda: self.metric(MADE) == made + 3, what="three tokens more, and no others")

    def test_what_is_no_prompt_is_refused(self):
        self.serve()
        for path in ("/chat", "/generate"):
            self.assertEqual(self.host.post(path, {"text": "x", "max_tokens": 0}).status, 422, path)
            self.assertEqual(self.host.post(path, "x").status, 400, path)

    @unittest.skipIf(browser.PROGRAM is None, browser.MISSING)
    def test_the_page_shows_tokens_as_they_come_and_its_button_stops_the_model(self):
        self.serve()
        with browser.Browser() as page:
            page.open(f"http://127.0.0.1:{self.host.port}/")
            eventually(lambda: page.evaluate("document.readyState") == "complete"
                       and page.evaluate("!document.getElementById('send').disabled"), what="the page")
            page.evaluate("document.getElementById('text').value = 'the Rabbit'; document.getElementById('send').click()")
            answer = "document.querySelector('#talk p:last-child').textContent"
            eventually(lambda: page.evaluate(answer + ".length") > 10, what="the first tokens")
            self.assertFalse(page.evaluate("document.getElementById('stop').disabled"))
            page.evaluate("document.getElementById('stop').click()")
            eventually(lambda: "stopped" in page.evaluate(answer), what="the end of the answer")
            eventually(lambda: self.metric(STOPPED) == 1 and self.metric(CONVERSATIONS) == 0, what="the model's end")
            page.evaluate("document.getElementById('send').click()")
            eventually(lambda: page.evaluate("document.querySelectorAll('#talk p').length") == 4, what="another answer")


if __name__ == "__main__":
    main()
