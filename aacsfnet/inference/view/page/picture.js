// What is drawn over the picture: each face's box and the lines of its mesh.

// Colours of people: those of the curve, lightened, as the ground is a picture.
const ON_PICTURE = ["#6ea8ff", "#f2a063", "#5cc9a0", "#e08bd0", "#cfc45c", "#a99cff"];
const ROOM = 0.125; // of the box that the mesh's bytes are counted in

for (const person of data.people) {
  person.hidden = false;
  person.bytes = Uint8Array.from(atob(person.lines), (sign) => sign.charCodeAt(0));
  person.rowOf = new Int32Array(data.times.length).fill(-1);
  person.at.forEach((place, row) => { person.rowOf[place] = row; });
  let before = 0;
  person.meshAt = person.meshed.map((has) => (has ? before++ : -1));
}

// Sizes a canvas to its place on the page; returns what draws, in units of CSS pixels.
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

function drawFaces() {
  const { pen, width, height } = sized(at("drawn"));
  if (!at("faces").checked) return;
  const scale = [width / data.size[0], height / data.size[1]];
  data.people.forEach((person, order) => {
    const row = person.rowOf[player.shown];
    const box = row < 0 ? null : person.box[row];
    if (!box || person.hidden) return;
    const path = new Path2D();
    path.rect(box[0] * scale[0], box[1] * scale[1], (box[2] - box[0]) * scale[0], (box[3] - box[1]) * scale[1]);
    if (person.meshed[row]) addMesh(path, person, row, box, scale);
    // A dark edge keeps light lines visible on light skin.
    for (const [colour, thick] of [["rgba(0, 0, 0, 0.55)", 3.2], [ON_PICTURE[order % 6], 1.4]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.setLineDash(person.kind[row] === 0 ? [] : [6, 5]);
      pen.stroke(path);
    }
    pen.font = "600 14px system-ui, sans-serif";
    const words = `${person.number}: ${inWords(person, row)}`;
    const place = [box[0] * scale[0], Math.max(14, box[1] * scale[1] - 6)];
    pen.setLineDash([]);
    pen.strokeStyle = "rgba(0, 0, 0, 0.7)";
    pen.lineWidth = 3;
    pen.strokeText(words, ...place);
    pen.fillStyle = "#ffffff";
    pen.fillText(words, ...place);
  });
}

function addMesh(path, person, row, box, scale) {
  const size = [box[2] - box[0], box[3] - box[1]];
  const start = person.meshAt[row] * 2 * data.points;
  const point = (number) => [0, 1].map((axis) => {
    const share = person.bytes[start + 2 * number + axis] / 255;
    return (box[axis] + size[axis] * (share * (1 + 2 * ROOM) - ROOM)) * scale[axis];
  });
  for (const line of data.lines) {
    line.forEach((number, step) => {
      if (step) path.lineTo(...point(number));
      else path.moveTo(...point(number));
    });
  }
}

// Returns a row's score in words: "3.2", or what it is instead.
function inWords(person, row) {
  return person.score[row] === null ? data.kinds[person.kind[row]] : person.score[row].toFixed(1);
}
