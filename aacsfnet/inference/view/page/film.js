// The film: which of its frames is shown, and how to get another one shown.
//
// Frames are known by their place in `data.times`. A browser seeks to a time, so the middle of a
// frame's own time is asked for; and what is drawn beside the picture follows the frame that the
// browser says it shows, not the one that was asked for.

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const last = data.times.length - 1;
const film = at("film");

// Frames whose times differ by less than this are the same, seconds.
const SAME = 0.002;

// A frame is on the screen this long after it was found at the latest, milliseconds.
const PATIENCE = 3000;
const OTHER_FRAME = "This browser shows other frames than those it is asked for. Run the command again with --copy.";

// Returns the last of rising numbers that is no larger than a value; 0 where all are larger.
function placeOf(numbers, value) {
  let low = 0;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (numbers[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

// Returns the place of the frame that is shown at a time of the table.
function frameAt(time) {
  return placeOf(data.times, time + SAME);
}

const player = {
  wanted: 0, // frame that was asked for
  shown: 0, // frame whose picture is there
  shift: -data.offset, // what a browser's time is more than the table's
  following: false, // whether the frame wanted is the one shown: from play to the next wish
  listeners: [],
  exact: "requestVideoFrameCallback" in film, // whether the browser says what it shows

  // Asks for a frame; while the browser seeks, only the last wish counts.
  go(place) {
    this.wanted = Math.min(last, Math.max(0, place));
    this.following = false;
    if (!film.paused) film.pause();
    if (!film.seeking) this.seek();
    this.tell();
  },

  seek() {
    const time = data.times[this.wanted];
    const gap = this.wanted < last ? data.times[this.wanted + 1] - time : SAME;
    this.sought = this.wanted;
    film.currentTime = time + gap / 2 + this.shift;
  },

  toggle() {
    if (!film.paused) {
      film.pause();
      return;
    }
    if (this.wanted === last) {
      this.wanted = 0;
      this.seek();
    }
    film.play().catch(() => undefined); // a film that cannot be played tells so by its own event
  },

  // Stops where the film stopped. A browser may bring one more picture to the screen than it told
  // of, so that the frame told last is asked for.
  rest() {
    this.following = false;
    this.wanted = film.ended ? frameAt(film.currentTime - this.shift) : this.shown;
    this.seek();
  },

  // Takes the time of the picture that is there now.
  presented(time) {
    if (this.first === undefined) {
      this.first = time;
      // Browsers differ in whether a film that begins late begins at 0.
      const late = time - (data.times[0] + this.shift);
      if (film.currentTime === 0 && Math.abs(late) > SAME) this.shift += late;
    }
    this.shown = frameAt(time - this.shift);
    const off = Math.abs(data.times[this.shown] + this.shift - time);
    if (this.exact && off > SAME) warn("times", OTHER_FRAME);
    if (this.following) this.wanted = this.shown;
    this.tell();
  },

  // Warns where the browser is done with seeking and shows another frame all the same.
  check() {
    clearTimeout(this.checking);
    this.checking = setTimeout(() => {
      const rest = film.paused && !film.seeking && this.sought === this.wanted;
      if (rest && this.shown !== this.wanted) warn("times", OTHER_FRAME);
    }, PATIENCE);
  },

  tell() {
    for (const listener of this.listeners) listener();
  },

  watch() {
    film.requestVideoFrameCallback((now, about) => {
      this.presented(about.mediaTime);
      this.watch();
    });
  },
};

// Shows a warning, each kind once.
function warn(kind, words) {
  if (at(`warning-${kind}`)) return;
  const line = document.createElement("p");
  line.id = `warning-${kind}`;
  line.className = "notice";
  line.textContent = words;
  at("alerts").append(line);
}

film.addEventListener("seeked", () => {
  if (player.sought !== player.wanted && !player.following) player.seek();
  else if (!player.exact) player.presented(film.currentTime);
  player.check();
});
film.addEventListener("timeupdate", () => {
  if (!player.exact) player.presented(film.currentTime);
});
for (const event of ["play", "pause", "ended"]) {
  film.addEventListener(event, () => {
    if (event === "play") player.following = true;
    else if (player.following) player.rest();
    player.tell();
  });
}
film.addEventListener("loadedmetadata", () => {
  const [width, height] = data.size;
  if (Math.abs((film.videoWidth * height) / (film.videoHeight * width) - 1) > 0.02) {
    warn("shape", "This browser shows the film in another shape than the table has. Run the command again with --copy.");
  }
  if (!film.videoWidth) unplayable();
});
film.addEventListener("error", unplayable);

function unplayable() {
  warn("film", `This browser cannot play ${decodeURIComponent(film.getAttribute("src"))}. Is the film where it was when this page was written? If so, run the command again with --copy. The scores below can be read without it.`);
}

if (film.error) unplayable();
if (player.exact) player.watch();
