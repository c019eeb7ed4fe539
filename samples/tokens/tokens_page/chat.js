"use strict";
const talk = document.getElementById("talk"), send = document.getElementById("send"), stop = document.getElementById("stop");
let aborted = null;  // what ends the answer that is being written

function say(text, kind) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  talk.append(line);
  line.scrollIntoView({block: "end"});
  return line;
}

function note(line, text) {
  const small = document.createElement("small");
  small.textContent = text;
  line.append(small);
}

// The events of a response. EventSource would do this, but can only GET, and would ask again at the end.
async function* events(response) {
  let rest = "";
  for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
    rest += piece;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
      const event = {type: "message", data: ""};
      for (const line of rest.slice(0, end).split("\n")) {
        if (line.startsWith("event: ")) event.type = line.slice(7);
        if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      yield event;
    }
  }
}

async function* pieces(stream) {
  const reader = stream.getReader();
  for (let read; !(read = await reader.read()).done;) yield read.value;
}

async function ask(text) {
  say(text, "mine");
  const answer = say("", "writing");
  aborted = new AbortController();
  send.disabled = !(stop.disabled = false);
  const started = performance.now();
  let tokens = 0, end = "cut off";
  try {
    const response = await fetch("chat", {
      method: "POST", signal: aborted.signal, headers: {"Content-Type": "application/json"},
      body: JSON.stringify({
        text, temperature: Number(document.getElementById("temperature").value),
        seed: Math.floor(Math.random() * 1e9),
      }),
    });
    if (!response.ok) throw new Error((await response.json()).detail);
    for await (const event of events(response)) {
      if (event.type === "token") {
        answer.append(JSON.parse(event.data).text);
        tokens += 1;
      } else if (event.type === "done") {
        end = "done";
      } else if (event.type === "error") {
        throw new Error(JSON.parse(event.data).detail);
      }
    }
  } catch (error) {
    // Closing the connection is all it takes: the host cancels the handler, and the model stops.
    end = error.name === "AbortError" ? "stopped" : error.message;
    answer.classList.toggle("error", error.name !== "AbortError");
  }
  answer.classList.remove("writing");
  note(answer, `${tokens} tokens in ${((performance.now() - started) / 1000).toFixed(1)} s: ${end}`);
  stop.disabled = !(send.disabled = false);
}

document.getElementById("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!send.disabled) ask(document.getElementById("text").value);
});
stop.addEventListener("click", () => aborted.abort());
