// The waveform of a recording as something to press on: where it is pressed, it plays. The arrow keys move it by five
// seconds, the space bar starts and stops. The player of the browser stays below it and says the same.
const SMALL = 5;
const BIG = 30;

const clock = (seconds) => {
  const whole = Math.floor(Number.isFinite(seconds) ? seconds : 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

// The browser's word, as soon as it has one; before, what the server measured.
const lengthOf = (player) => {
  const told = player.querySelector("audio").duration;
  return Number.isFinite(told) ? told : Number(player.dataset.length) / 1000;
};

const show = (player) => {
  const now = player.querySelector("audio").currentTime;
  const length = lengthOf(player);
  const bar = player.querySelector("[data-seek]");
  const at = length ? Math.min(1, now / length) : 0;
  player.querySelector("[data-played]").setAttribute("width", (240 * at).toFixed(2));
  player.querySelector("[data-needle]").setAttribute("x", (239 * at).toFixed(2));
  player.querySelector("[data-at]").textContent = `${clock(now)} / ${clock(length)}`;
  bar.setAttribute("aria-valuemax", Math.round(length));
  bar.setAttribute("aria-valuenow", Math.round(now));
  bar.setAttribute("aria-valuetext", `${clock(now)} / ${clock(length)}`);
};

const seek = (player, seconds) => {
  const audio = player.querySelector("audio");
  audio.currentTime = Math.max(0, Math.min(lengthOf(player), seconds));
  show(player);
};

const start = (audio) => {
  for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  audio.play().catch(() => {});
};

const keys = {
  ArrowLeft: (now) => now - SMALL,
  ArrowDown: (now) => now - SMALL,
  ArrowRight: (now) => now + SMALL,
  ArrowUp: (now) => now + SMALL,
  PageDown: (now) => now - BIG,
  PageUp: (now) => now + BIG,
  Home: () => 0,
  End: (_, length) => length,
};

export const bring = (root = document) => {
  for (const player of root.querySelectorAll(".player[data-length]:not([data-there])")) {
    const bar = player.querySelector("[data-seek]");
    const audio = player.querySelector("audio");
    if (!bar) continue;
    player.dataset.there = "1";
    bar.setAttribute("role", "slider");
    bar.setAttribute("tabindex", "0");
    bar.setAttribute("aria-valuemin", "0");
    player.querySelector("[data-at]").hidden = false;
    for (const event of ["timeupdate", "seeked", "loadedmetadata", "play", "pause"]) {
      audio.addEventListener(event, () => show(player));
    }
    bar.addEventListener("click", (event) => {
      const box = bar.getBoundingClientRect();
      seek(player, (lengthOf(player) * (event.clientX - box.left)) / box.width);
      start(audio);
    });
    bar.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") {
        if (audio.paused) start(audio);
        else audio.pause();
      } else if (keys[event.key]) seek(player, keys[event.key](audio.currentTime, lengthOf(player)));
      else return;
      event.preventDefault();
    });
    show(player);
  }
};

// Begin and end of a cut, on the waveform above them; taken over from where one listens.
export const bringCuts = (root = document) => {
  for (const cut of root.querySelectorAll("[data-cut]:not([data-there])")) {
    cut.dataset.there = "1";
    const [from, to] = [cut.querySelector("[name=cut_from]"), cut.querySelector("[name=cut_to]")];
    const player = cut.parentElement.querySelector(".player[data-length]");
    const drawn = player?.querySelector("[data-kept]");
    const least = Number(cut.dataset.least);
    const draw = () => {
      const length = Number(from.max);
      for (const each of [from, to]) {
        const said = cut.querySelector(`[data-says=${each.name}]`);
        said.textContent = `${clock(each.value / 1000)},${Math.floor((each.value % 1000) / 100)}`;
        each.setAttribute("aria-valuetext", said.textContent);
      }
      drawn?.setAttribute("x", (240 * from.value) / length);
      drawn?.setAttribute("width", (240 * (to.value - from.value)) / length);
      drawn?.toggleAttribute("hidden", Number(from.value) === 0 && Number(to.value) === length);
    };
    from.addEventListener("input", () => {
      from.value = Math.min(from.value, to.value - least);
      draw();
    });
    to.addEventListener("input", () => {
      to.value = Math.max(to.value, Number(from.value) + least);
      draw();
    });
    for (const button of cut.querySelectorAll("[data-take]")) {
      button.addEventListener("click", () => {
        const field = button.dataset.take === "from" ? from : to;
        field.value = Math.round(1000 * (player?.querySelector("audio").currentTime ?? 0));
        field.dispatchEvent(new Event("input"));
      });
    }
    // A look ahead at the form is not asked for while one only drags.
    for (const field of [from, to]) field.addEventListener("change", (event) => event.stopPropagation());
    draw();
  }
};
