// What is on the page, put together.

// Returns the people of a frame, and what is said of a frame without any, as lines of a table.
function rowsNow() {
  const lines = [];
  for (const person of data.people) {
    const row = person.rowOf[player.wanted];
    if (row < 0) continue;
    const bounds = [person.low[row], person.high[row]];
    const between = bounds.includes(null) ? "–" : bounds.map((one) => one.toFixed(1)).join(" to ");
    const words = data.words[person.words[row]];
    const kind = person.kind[row] ? data.kinds[person.kind[row]] : "";
    const score = person.score[row] === null ? "–" : person.score[row].toFixed(1);
    const level = person.relative[row];
    const own = level === null ? "" : `${Math.abs(level).toFixed(1)} ${level < 0 ? "below" : "above"} the person's own level`;
    const note = [[kind, words].filter(Boolean).join(": "), own].filter(Boolean).join("; ");
    lines.push([`${person.number}`, score, between, note]);
  }
  const faceless = data.faceless.at.indexOf(player.wanted);
  if (faceless >= 0) lines.push(["–", "–", "–", data.words[data.faceless.words[faceless]]]);
  if (!lines.length) lines.push(["–", "–", "–", "the table has no row of this frame"]);
  return lines;
}

function showNow() {
  const lines = rowsNow();
  at("now").replaceChildren(...lines.map((words) => {
    const line = document.createElement("tr");
    line.append(...words.map((text, column) => cell(text, column === 3 ? "text" : "")));
    return line;
  }));
  const scrub = at("scrub");
  scrub.value = String(player.wanted);
  const spoken = lines.map(([who, score, , note]) => `person ${who}: ${score} ${note}`).join("; ");
  scrub.setAttribute("aria-valuetext", `${named(player.wanted)}; ${spoken}`);
  at("clock").textContent = named(player.wanted);
  at("play").textContent = film.paused ? "Play" : "Pause";
}

// Draws at most once for each picture of the screen.
let waiting = false;
function show() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    follow();
    showNow();
    drawFaces();
    drawCurve();
  });
}

function fit() {
  const [width, height] = data.size;
  at("stage").style.aspectRatio = `${width} / ${height}`;
  at("stage").style.maxWidth = `calc(46vh * ${width / height})`;
  ground = null;
  show();
}

const KEYS = {
  " ": () => player.toggle(),
  Home: () => player.go(0),
  End: () => player.go(last),
  i: () => stretches.begin(),
  o: () => stretches.finish(),
  "+": () => zoom(0.5),
  "-": () => zoom(2),
};

function pressed(event) {
  const own = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || own.type === "text") return;
  if (event.key === " " && ["BUTTON", "INPUT"].includes(own.tagName) && own.type !== "range") return;
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (way) player.go(event.shiftKey ? frameAt(data.times[player.wanted] + way) : player.wanted + way);
  else if (KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()]) {
    KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()]();
  } else return;
  event.preventDefault();
}

function dragged(event) {
  const canvas = at("curve");
  if (event.type === "pointerdown") canvas.setPointerCapture(event.pointerId);
  else if (!canvas.hasPointerCapture(event.pointerId)) return;
  const time = timeAt(event.offsetX, canvas.clientWidth);
  const before = frameAt(time);
  const after = Math.min(last, before + 1);
  player.go(data.times[after] - time < time - data.times[before] ? after : before);
}

data.people.forEach((person, order) => {
  const label = document.createElement("label");
  label.className = "tick";
  const tick = document.createElement("input");
  tick.type = "checkbox";
  tick.checked = true;
  tick.addEventListener("change", () => {
    person.hidden = !tick.checked;
    changed();
    drawFaces();
  });
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = `var(--series-${(order % 6) + 1})`;
  label.append(tick, swatch, `person ${person.number}`);
  at("people").append(label);
});

const CLICKS = {
  back: () => player.go(player.wanted - 1),
  on: () => player.go(player.wanted + 1),
  play: () => player.toggle(),
  closer: () => zoom(0.5),
  wider: () => zoom(2),
  from: () => stretches.begin(),
  to: () => stretches.finish(),
  save: () => stretches.save(),
  faces: drawFaces,
};
for (const [id, action] of Object.entries(CLICKS)) at(id).addEventListener("click", action);
at("scrub").addEventListener("input", (event) => player.go(Number(event.target.value)));
for (const kind of ["pointerdown", "pointermove"]) at("curve").addEventListener(kind, dragged);
document.addEventListener("keydown", pressed);
window.addEventListener("resize", fit);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", fit);
window.addEventListener("beforeunload", (event) => {
  if (!stretches.saved) event.preventDefault();
});
player.listeners.push(show);
stretches.show();
fit();
