// The curve: scores of each person over time, intervals, and where there is none to be trusted.

const LEFT = 38; // pixels for the numbers at the side
const LANES = 30; // pixels below the curve: what is wrong, then the times
const shownSpan = { from: data.times[0], to: data.times[last] };
let ground = null; // the curve without the cursor, drawn again only when it changes

const values = data.people.flatMap((person) => [...person.score, ...person.low, ...person.high]);
const [lowest, highest] = values.reduce(
  ([low, high], value) => (value === null ? [low, high] : [Math.min(low, value), Math.max(high, value)]),
  [0, 1],
);

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function across(time, width) {
  const span = Math.max(shownSpan.to - shownSpan.from, 1e-6);
  return LEFT + ((time - shownSpan.from) / span) * (width - LEFT - 4);
}

function timeAt(x, width) {
  const share = (x - LEFT) / (width - LEFT - 4);
  return shownSpan.from + Math.min(1, Math.max(0, share)) * (shownSpan.to - shownSpan.from);
}

function up(value, height) {
  return height - LANES - 4 - ((value - lowest) / (highest - lowest)) * (height - LANES - 14);
}

// Returns a person's curve in pieces without a gap: for each column of pixels its extremes.
function pieces(person, width) {
  const found = [];
  let piece = null;
  let before = -2;
  person.at.forEach((place, row) => {
    const time = data.times[place];
    const score = person.score[row];
    if (score === null || time < shownSpan.from || time > shownSpan.to) return;
    if (place !== before + 1 || !piece) found.push(piece = []);
    before = place;
    const x = Math.round(across(time, width) * 2) / 2;
    let column = piece[piece.length - 1];
    if (!column || column.x !== x) {
      piece.push(column = { x, min: score, max: score, low: null, high: null, kind: 0 });
    }
    column.min = Math.min(column.min, score);
    column.max = Math.max(column.max, score);
    column.kind = Math.max(column.kind, person.kind[row]);
    if (person.low[row] !== null && person.high[row] !== null) {
      column.low = Math.min(column.low ?? Infinity, person.low[row]);
      column.high = Math.max(column.high ?? -Infinity, person.high[row]);
    }
  });
  return found;
}

function drawPerson(pen, person, ink, width, height) {
  for (const piece of pieces(person, width)) {
    const bounded = piece.filter((column) => column.low !== null);
    pen.beginPath();
    for (const column of bounded) pen.lineTo(column.x, up(column.high, height));
    for (const column of bounded.reverse()) pen.lineTo(column.x, up(column.low, height));
    pen.globalAlpha = 0.18;
    pen.fillStyle = ink;
    pen.fill();
    pen.strokeStyle = ink;
    pen.lineWidth = 1.8;
    piece.forEach((column, step) => {
      const from = piece[Math.max(0, step - 1)];
      const doubtful = Math.max(column.kind, from.kind) > 0;
      pen.globalAlpha = doubtful ? 0.5 : 1;
      pen.setLineDash(doubtful ? [2, 3] : []);
      pen.beginPath();
      pen.moveTo(from.x, up(from.max, height));
      pen.lineTo(column.x, up(column.min, height));
      pen.lineTo(column.x, up(column.max, height) - (piece.length === 1 ? 2 : 0));
      pen.stroke();
    });
    pen.globalAlpha = 1;
    pen.setLineDash([]);
  }
}

// Fills the time of frames, from half of the way before the first to half of the way after the last.
function fillFrames(pen, first, end, width, top, tall) {
  const before = (data.times[Math.max(0, first - 1)] + data.times[first]) / 2;
  const after = (data.times[Math.min(last, end + 1)] + data.times[end]) / 2;
  if (after < shownSpan.from || before > shownSpan.to) return;
  const left = Math.max(LEFT, across(before, width));
  pen.fillRect(left, top, Math.max(1, Math.min(width - 4, across(after, width)) - left), tall);
}

function drawGround(width, height) {
  const canvas = document.createElement("canvas");
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  drawAxes(pen, width, height);
  pen.globalAlpha = 0.16;
  pen.fillStyle = colour("bad");
  for (const { first, end } of stretches.list) {
    fillFrames(pen, first, end, width, 6, height - LANES - 6);
  }
  pen.globalAlpha = 1;
  data.people.forEach((person, order) => {
    if (!person.hidden) drawPerson(pen, person, colour(`series-${(order % 6) + 1}`), width, height);
  });
  drawLane(pen, width, height);
  return canvas;
}

// Draws what is wrong with frames: the worst of the people that are drawn.
function drawLane(pen, width, height) {
  const worst = new Uint8Array(data.times.length);
  for (const rows of [...data.people.filter((person) => !person.hidden), data.faceless]) {
    rows.at.forEach((place, row) => { worst[place] = Math.max(worst[place], rows.kind[row]); });
  }
  for (const { first, end } of stretches.list) worst.fill(3, first, end + 1);
  const inks = [null, colour("warn"), colour("muted"), colour("bad")];
  for (let first = 0, end = 0; first <= last; first = end) {
    for (end = first; end <= last && worst[end] === worst[first];) end += 1;
    if (!worst[first]) continue;
    pen.fillStyle = inks[worst[first]];
    fillFrames(pen, first, end - 1, width, height - LANES + 1, 7);
  }
}

function step(span, most) {
  const raw = span / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
}

function drawAxes(pen, width, height) {
  pen.lineWidth = 1;
  const each = step(highest - lowest, 5);
  for (let value = Math.ceil(lowest / each) * each; value <= highest; value += each) {
    pen.strokeStyle = colour("line");
    pen.beginPath();
    pen.moveTo(LEFT, up(value, height));
    pen.lineTo(width - 4, up(value, height));
    pen.stroke();
    pen.fillStyle = colour("muted");
    pen.textAlign = "right";
    pen.fillText(String(Number(value.toFixed(3))), LEFT - 6, up(value, height) + 4);
  }
  pen.textAlign = "center";
  const span = step(Math.max(shownSpan.to - shownSpan.from, 0.01), Math.max(2, width / 110));
  for (let time = Math.ceil(shownSpan.from / span) * span; time <= shownSpan.to; time += span) {
    pen.fillText(clock(time, span < 1), across(time, width), height - 5);
  }
}

function clock(time, fine) {
  const minutes = Math.floor(time / 60);
  const seconds = time - 60 * minutes;
  return `${minutes}:${seconds.toFixed(fine ? 2 : 0).padStart(fine ? 5 : 2, "0")}`;
}

function drawCurve() {
  const { pen, width, height } = sized(at("curve"));
  ground = ground || drawGround(width, height);
  pen.drawImage(ground, 0, 0, width, height);
  const x = across(data.times[player.wanted], width);
  pen.strokeStyle = colour("ink");
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x, 2);
  pen.lineTo(x, height - LANES + 9);
  pen.stroke();
}

// Draws the curve anew: something else than the cursor has changed.
function changed() {
  ground = null;
  drawCurve();
}

// Shows a share of the span, about the cursor; 2 shows twice as much.
function zoom(share) {
  const whole = data.times[last] - data.times[0];
  const span = Math.min(whole, Math.max(0.5, (shownSpan.to - shownSpan.from) * share));
  showFrom(data.times[player.wanted] - span / 2, span);
}

function showFrom(from, span) {
  shownSpan.from = Math.max(data.times[0], Math.min(data.times[last] - span, from));
  shownSpan.to = Math.min(data.times[last], shownSpan.from + span);
  changed();
}

// Moves a zoomed curve along when the cursor leaves it.
function follow() {
  const time = data.times[player.wanted];
  const span = shownSpan.to - shownSpan.from;
  if (time < shownSpan.from || time > shownSpan.to) showFrom(time - span / 2, span);
}
