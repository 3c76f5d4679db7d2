// A round on a phone: its pages are kept for where there is no signal, what is written down waits for one.
import { own } from "./parts/kept_pages.js";
import { LoginFirst, all, name, remove, send, write } from "./parts/outbox.js";
import { entries, lacksReason, show } from "./parts/stop_form.js";

// Between two tries while there seems to be no way out; the last one again and again.
const TRIES_MS = [5000, 15_000, 60_000, 300_000];
const me = document.body.dataset.me;
const box = document.querySelector("[data-outbox]");
const form = document.getElementById("round-form");
const stop = form?.dataset.stop;
const word = (key) => box.dataset[key];

const state = (text) => {
  box.querySelector("[data-outbox-state]").textContent = text;
};

const line = (entry) => {
  const item = document.getElementById("outbox-line").content.firstElementChild.cloneNode(true);
  item.querySelector("[data-what]").textContent = word(`kind_${entry.kind}`);
  item.querySelector("[data-text]").textContent = [entry.body.note, entry.body.count].filter(Boolean).join(" · ");
  item.querySelector("[data-state]").textContent = word(entry.state);
  item.querySelector("[data-why]").textContent = entry.problems.join(" ");
  const button = item.querySelector("button");
  button.hidden = entry.state === "waiting" || (entry.state === "sent" && !entry.problems.length);
  button.addEventListener("click", async () => {
    await remove(entry.n);
    await draw();
  });
  item.dataset.entry = entry.state;
  return item;
};

// What waits, and what was refused; of this stop also what went.
const draw = async () => {
  const kept = await all();
  const mine = kept.filter((entry) => entry.owner === me);
  const shown = mine.filter((entry) => entry.state !== "sent" || entry.problems.length || entry.stop === stop);
  box.querySelector("[data-outbox-lines]").replaceChildren(...shown.map(line));
  const waiting = mine.filter((entry) => entry.state === "waiting").length;
  const others = kept.filter((entry) => entry.owner !== me && entry.state === "waiting").length;
  box.querySelector("[data-outbox-count]").textContent = waiting ? word("left").replace("%n", waiting) : "";
  box.querySelector("[data-outbox-others]").textContent = others ? word("others").replace("%n", others) : "";
  box.hidden = !shown.length && !others;
  for (const tile of document.querySelectorAll("[data-stop-waits]")) {
    tile.hidden = !mine.some((entry) => entry.stop === tile.dataset.stopWaits && entry.state === "waiting");
  }
  return mine;
};

let tries = 0;
let later = null;
const flush = async () => {
  clearTimeout(later);
  try {
    const went = await send(me, draw);
    tries = 0;
    state("");
    return went;
  } catch (error) {
    if (error instanceof LoginFirst) {
      state(word("login"));
      box.querySelector("[data-outbox-login]").hidden = false;
    } else {
      state(word("waits"));
      later = setTimeout(flush, TRIES_MS[Math.min(tries++, TRIES_MS.length - 1)]);
    }
    return 0;
  }
};

// Written down first, sent then: whatever happens in between, it is here.
const keep = async (found, trouble) => {
  const round = box.dataset.round;
  try {
    await write(found.map((entry) => ({ owner: me, round, stop, ...entry })));
  } catch {
    trouble(word("full"));
    return false;
  }
  await draw();
  return true;
};

const again = (place) => {
  const address = new URL(location.href);
  address.search = "?done=round_saved";
  address.hash = place;
  location.assign(address);
};

const took = async (place) => {
  await flush();
  const open = (await all()).filter((entry) => entry.owner === me && entry.stop === stop);
  if (open.every((entry) => entry.state === "sent" && !entry.problems.length)) again(place);
};

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const found = entries(form);
  const { note } = form.elements;
  note.setCustomValidity(lacksReason(found) ? word("reason") : "");
  if (!form.reportValidity() || !found.length) return;
  if (!(await keep(found, (text) => alertIn(form, text)))) return;
  show(form, found);
  note.value = "";
  if (form.elements.outcome) for (const field of form.querySelectorAll('[name="outcome"]')) field.checked = field.value === "";
  await took("");
});
form?.elements.note.addEventListener("input", (event) => event.target.setCustomValidity(""));

const alertIn = (place, text) => {
  let told = place.querySelector("[data-trouble]");
  if (!told) {
    told = document.createElement("p");
    told.dataset.trouble = "";
    told.className = "clash clash-loses";
    told.setAttribute("role", "alert");
    place.append(told);
  }
  told.textContent = text;
};

for (const photo of document.querySelectorAll("[data-round-photo]")) {
  photo.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [file] = photo.elements.photo.files;
    if (!file) return;
    const entry = { kind: "photo", body: { which: photo.elements.which.value }, photo: file };
    if (!(await keep([entry], (text) => alertIn(photo, text)))) return;
    photo.reset();
    await took("#photos");
  });
}

// A quiet test is asked for by who stands there: hours later it would tell nothing, so it never waits.
document.querySelector("[data-round-test]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = event.target;
  const body = JSON.stringify({ entries: [{ id: name(), stop, kind: "test", at_ms: Date.now() }], sent_ms: Date.now() });
  const headers = { "X-Form-Token": document.body.dataset.token, "Content-Type": "application/json" };
  try {
    const answer = await fetch(`/api/v1/rounds/${box.dataset.round}/entries`, { method: "POST", body, headers });
    if (!answer.ok) return HTMLFormElement.prototype.submit.call(asked);
    const [{ problems }] = await answer.json();
    if (problems.length) alertIn(asked, problems.map((each) => each.detail).join(" "));
    else again("#test");
  } catch {
    alertIn(asked, word("test"));
  }
});

// Only where a browser has all of it (an HTTPS page, or this very machine); elsewhere the forms go as they are.
const worker = async () => {
  await navigator.serviceWorker.register("/rounds/worker.js", { scope: "/rounds" });
  const { active } = await navigator.serviceWorker.ready;
  const round = document.querySelector("[data-round-pages]");
  if (!round) return;
  const here = `/rounds/${box.dataset.round}`;
  if (round.dataset.roundPages === "drop") return active.postMessage({ drop: here });
  own(me);
  const pages = ["/rounds", here, ...[...round.querySelectorAll("[data-stop]")].map((each) => each.getAttribute("href"))];
  const files = `${location.origin}/static/`;
  const loaded = performance.getEntriesByType("resource").map((each) => each.name);
  const assets = loaded.filter((each) => each.startsWith(files)).map((each) => new URL(each).pathname);
  const wanted = [...new Set([...pages, ...assets, ...box.dataset.assets.split(" ")])];
  const line = new MessageChannel();
  line.port1.onmessage = ({ data }) => {
    const told = document.querySelector("[data-kept]");
    told.textContent = data.here === wanted.length ? told.dataset.kept : told.dataset.partly;
    told.dataset.here = data.here === wanted.length ? "all" : "partly";
  };
  active.postMessage({ keep: wanted }, [line.port2]);
};

const start = async () => {
  const mine = await draw();
  if (form) show(form, mine.filter((entry) => entry.stop === stop && entry.state === "waiting"));
  await flush();
};
start();
window.addEventListener("online", flush);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && flush());
if (navigator.serviceWorker) {
  worker().catch(() => {
    const told = document.querySelector("[data-kept]");
    if (told) told.textContent = told.dataset.partly;
  });
}
