import "bootstrap";
import htmx from "htmx.org";
import "htmx-ext-sse";
import { guard } from "./parts/kept_pages.js";
import { bring, bringCuts } from "./parts/player.js";

// Extensions and pages look for it there.
window.htmx = htmx;

const body = document.body;
document.documentElement.classList.add("js");
guard(body.dataset.me);

// What was just done is said once, not again on every reload or to whoever gets the address.
const address = new URL(location.href);
const done = address.searchParams.get("done");
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

// Every request of a script carries the token of this session's pages.
body.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Form-Token"] = body.dataset.token;
});

// The truth about the link between this page and the server.
const offline = document.getElementById("offline");
const tell = (text) => {
  offline.textContent = text;
  offline.hidden = !text;
};
body.addEventListener("htmx:sendError", () => tell(body.dataset.offline));
body.addEventListener("htmx:timeout", () => tell(body.dataset.slow));
body.addEventListener("htmx:afterOnLoad", () => tell(""));
window.addEventListener("offline", () => tell(body.dataset.offline));
window.addEventListener("online", () => tell(""));

const bringPlayers = () => {
  bring();
  bringCuts();
};
body.addEventListener("htmx:afterSwap", bringPlayers);
bringPlayers();

// All parts of a programme one after the other, as they will sound; pressed again, it stops.
const bringPlayAll = () => {
  for (const button of document.querySelectorAll("[data-play-all]")) button.hidden = false;
};
let playing = null;
const quiet = () => {
  if (playing) clearTimeout(playing.later);
  for (const each of playing?.all ?? []) each.pause();
  playing = null;
};
const playFrom = (place) => {
  const next = playing?.all[place];
  if (!next) return quiet();
  next.currentTime = 0;
  next.addEventListener("ended", () => playing && (playing.later = setTimeout(playFrom, playing.gap, place + 1)), { once: true });
  next.play().catch(quiet);
};
body.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-play-all]");
  if (!button) return;
  const again = playing?.button === button;
  quiet();
  if (again) return;
  playing = { button, all: [...document.querySelectorAll(button.dataset.playAll)], gap: Number(button.dataset.gap) };
  playFrom(0);
});
body.addEventListener("htmx:afterSwap", bringPlayAll);
bringPlayAll();

for (const button of document.querySelectorAll("[data-fill]")) {
  button.addEventListener("click", () => {
    const field = document.querySelector(button.dataset.fill);
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// What is typed is kept on this device, for this account and this bulletin only, until the server says that it was
// handed in: a session that ended on the way, or a page that did not open, loses nothing.
const draft = document.getElementById("draft");
const PASSING = new Set(["form_token", "recording", "editing", "revision", "push_now", "act"]);
const drawerOf = (bulletin) => `loa-draft-${body.dataset.me}-${bulletin}`;
const HANDED = `loa-handed-${body.dataset.me}`;

const store = () => {
  const said = [...new FormData(draft)].filter(([name, value]) => !PASSING.has(name) && typeof value === "string");
  const kept = { revision: draft.elements.revision.value, said };
  localStorage.setItem(drawerOf(draft.dataset.draft), JSON.stringify(kept));
};

// The recording lies on the server; here is only its name.
const hearAgain = (asset) => {
  if (!/^[0-9a-f]{64}$/.test(asset ?? "") || document.getElementById("asset").value) return;
  document.getElementById("asset").value = asset;
  // Not by htmx, which would complain when the page is left meanwhile: then nobody misses it.
  fetch(`/recordings/${asset}`, { headers: { "HX-Request": "true" } })
    .then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)))
    .then((piece) => {
      const place = document.getElementById("recording");
      place.innerHTML = piece;
      htmx.process(place);
      bringPlayers();
    })
    .catch(() => {});
};

const fillIn = (said) => {
  const values = new Map();
  for (const [name, value] of said) values.set(name, [...(values.get(name) ?? []), value]);
  for (const field of draft.elements) {
    if (!field.name || PASSING.has(field.name) || field.name === "asset") continue;
    const told = values.get(field.name) ?? [];
    if (field.type === "checkbox" || field.type === "radio") field.checked = told.includes(field.value);
    else if (told.length) field.value = told[0];
    if (field.value && field.name === "text") field.closest("details").open = true;
  }
  hearAgain(values.get("asset")?.[0]);
};

const restore = () => {
  const drawer = drawerOf(draft.dataset.draft);
  const kept = JSON.parse(localStorage.getItem(drawer) ?? "null");
  if (!kept) return;
  const note = document.getElementById(kept.revision === draft.elements.revision.value ? "kept" : "kept-older");
  note.hidden = false;
  // Somebody else has changed the bulletin since: then it is for the author to say which one goes on.
  if (note.id === "kept") fillIn(kept.said);
  else
    note.querySelector("[data-bring]").addEventListener("click", () => {
      fillIn(kept.said);
      draft.dispatchEvent(new Event("change"));
      note.hidden = true;
    });
  note.querySelector("[data-forget]").addEventListener("click", () => {
    localStorage.removeItem(drawer);
    location.reload();
  });
};

try {
  if (done === "submitted" && sessionStorage.getItem(HANDED)) {
    localStorage.removeItem(sessionStorage.getItem(HANDED));
    sessionStorage.removeItem(HANDED);
  }
  if (draft) {
    if (draft.dataset.fresh) restore();
    else {
      // This page answered a form. Loading it again, or logging in, must lead to the form and not send it again.
      history.replaceState(null, "", draft.dataset.page);
      store();
    }
    for (const event of ["input", "change"]) draft.addEventListener(event, store);
    body.addEventListener("recorded", store);
    draft.addEventListener("submit", (event) => {
      store();
      if (event.submitter?.value === "submit") sessionStorage.setItem(HANDED, drawerOf(draft.dataset.draft));
    });
  }
} catch {
  // Storage may be forbidden; then nothing is kept, and everything else works.
}
