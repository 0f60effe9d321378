// The stretches to leave out: a list on the page, saved as a table that `predict --exclude` reads.

const stretches = {
  list: data.stretches.map(([first, end, note]) => ({
    first: placeOf(data.numbers, first),
    end: placeOf(data.numbers, end),
    note,
  })),
  start: null, // first frame of a stretch whose last is still to come
  saved: true,

  begin() {
    this.start = player.wanted;
    this.say(`From ${named(this.start)}; now go to the last frame and choose To here.`);
    at("to").disabled = false;
  },

  // Ends the stretch here; one that it meets becomes part of it.
  finish() {
    if (this.start === null) return;
    const own = {
      first: Math.min(this.start, player.wanted),
      end: Math.max(this.start, player.wanted),
      note: "",
    };
    const meets = (other) => other.first <= own.end + 1 && own.first <= other.end + 1;
    for (const other of this.list.filter(meets)) {
      own.first = Math.min(own.first, other.first);
      own.end = Math.max(own.end, other.end);
      own.note = [own.note, other.note].filter(Boolean).join("; ");
    }
    this.list = [...this.list.filter((other) => !meets(other)), own];
    this.list.sort((one, other) => one.first - other.first);
    this.start = null;
    at("to").disabled = true;
    this.say(`Left out: ${named(own.first)} to ${named(own.end)}.`);
    this.altered();
  },

  remove(stretch) {
    this.list = this.list.filter((other) => other !== stretch);
    this.say(`Not left out any more: ${named(stretch.first)} to ${named(stretch.end)}.`);
    this.altered();
    at("from").focus();
  },

  altered() {
    this.saved = false;
    this.show();
    changed();
  },

  say(words) {
    at("told").textContent = words;
  },

  show() {
    at("save").disabled = this.saved && !this.list.length;
    at("stretches").replaceChildren(...this.list.map((stretch, order) => this.row(stretch, order)));
  },

  row(stretch, order) {
    const line = document.createElement("tr");
    const note = document.createElement("input");
    note.type = "text";
    note.value = stretch.note;
    note.maxLength = 200;
    note.setAttribute("aria-label", `Why stretch ${order + 1} is left out`);
    note.addEventListener("input", () => {
      stretch.note = note.value;
      this.saved = false;
    });
    const go = button("Go there", () => player.go(stretch.first));
    const off = button("Remove", () => this.remove(stretch));
    for (const each of [go, off]) each.setAttribute("aria-label", `${each.textContent}: stretch ${order + 1}`);
    const change = cell("", "left");
    change.append(go, off);
    const why = cell("", "text");
    why.append(note);
    line.append(cell(named(stretch.first), "left"), cell(named(stretch.end)), why, change);
    return line;
  },

  // Returns the table as text, with the columns that `predict --exclude` asks for.
  table() {
    const quoted = (text) => `"${String(text).replaceAll('"', '""').replaceAll(/[\r\n]+/g, " ")}"`;
    const lines = this.list.map(({ first, end, note }) => [
      quoted(data.path), data.numbers[first], data.numbers[end],
      data.times[first].toFixed(6), data.times[end].toFixed(6), quoted(note),
    ].join(","));
    return `${[data.columns.join(","), ...lines].join("\n")}\n`;
  },

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.table()], { type: "text/csv" }));
    link.download = `${document.querySelector("h1").textContent}.exclude.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.saved = true;
    this.say(`Saved as ${link.download}, in the browser's folder for downloads.`);
  },
};

function button(words, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", action);
  return made;
}

function cell(words, kind) {
  const made = document.createElement("td");
  made.textContent = words;
  if (kind) made.className = kind;
  return made;
}

// Returns a frame by its time and number.
function named(place) {
  return `${clock(data.times[place], true)} (frame ${data.numbers[place]})`;
}
