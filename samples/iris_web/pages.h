// The two pages of iris_web. Their links are relative, so the app can be mounted anywhere.
#pragma once

inline constexpr const char* kFormPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Which iris is it?</title>
<link rel="stylesheet" href="static/style.css">
<h1>Which iris is it?</h1>
<form id="flower">
  <label>Sepal length <input name="sepal_len" type="number" step="0.1" value="4.9"> cm</label>
  <label>Sepal width <input name="sepal_width" type="number" step="0.1" value="3.0"> cm</label>
  <label>Petal length <input name="petal_len" type="number" step="0.1" value="1.4"> cm</label>
  <label>Petal width <input name="petal_width" type="number" step="0.1" value="0.2"> cm</label>
  <button>Classify</button>
</form>
<p id="answer" role="status"></p>
<p><a href="live">A live view of a meadow</a></p>
<script>
  const form = document.getElementById("flower");
  const answer = document.getElementById("answer");

  async function classify() {
    const flower = {};
    for (const [name, value] of new FormData(form)) flower[name] = value === "" ? null : Number(value);
    const response = await fetch("predict_app", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify(flower),
    });
    const reply = await response.json();
    answer.className = reply.species ?? "error";
    answer.textContent = response.ok ? "Iris " + reply.species : reply.detail;
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); classify(); });

  // A link may name a flower: /?sepal_len=6.3&sepal_width=3.3&petal_len=6&petal_width=2.5
  for (const [name, value] of new URLSearchParams(location.search)) {
    const input = form.elements.namedItem(name);
    if (input) input.value = value;
  }
  if (location.search) classify();
</script>
</html>
)html";

inline constexpr const char* kLivePage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Irises, live</title>
<link rel="stylesheet" href="static/style.css">
<h1>Irises, live</h1>
<svg id="meadow" viewBox="0 0 70 28" role="img" aria-label="Petal length and width of each flower"></svg>
<p class="axes">petal length, 0 to 7 cm, and width, 0 to 2.8 cm</p>
<p><b id="count">0</b> flowers:
  <span class="setosa">setosa</span>,
  <span class="versicolor">versicolor</span>,
  <span class="virginica">virginica</span></p>
<p id="answer" role="status"></p>
<p><a href="./">Classify your own</a></p>
<script>
  const meadow = document.getElementById("meadow");
  const count = document.getElementById("count");
  const answer = document.getElementById("answer");

  new EventSource("flowers").addEventListener("flower", (event) => {
    const {flower, species} = JSON.parse(event.data);
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    dot.setAttribute("cx", 10 * flower.petal_len);
    dot.setAttribute("cy", 28 - 10 * flower.petal_width);
    dot.setAttribute("r", 0.6);
    dot.setAttribute("class", species);
    meadow.append(dot);
    if (meadow.childElementCount > 300) meadow.firstElementChild.remove();
    count.textContent = Number(count.textContent) + 1;
    answer.className = species;
    answer.textContent = "Iris " + species;
  });
</script>
</html>
)html";
