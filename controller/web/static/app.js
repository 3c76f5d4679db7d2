import "bootstrap";
import htmx from "htmx.org";
import "htmx-ext-sse";

// Extensions and pages look for it there.
window.htmx = htmx;

const body = document.body;
document.documentElement.classList.add("js");

// What was just done is said once, not again on every reload or to whoever gets the address.
const address = new URL(location.href);
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

// A file that is too large is not sent at all.
const file = document.getElementById("file");
if (file) {
  file.addEventListener("change", () => {
    const chosen = file.files[0];
    const tooLarge = chosen && chosen.size > Number(file.dataset.max);
    const mega = chosen ? Math.ceil(chosen.size / 1_000_000) : 0;
    file.setCustomValidity(tooLarge ? file.dataset.tooLarge.replace("…", mega) : "");
    if (tooLarge) file.reportValidity();
  });
  body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target === file && !file.checkValidity()) event.preventDefault();
  });
  body.addEventListener("htmx:xhr:progress", (event) => {
    if (event.target === file && event.detail.lengthComputable) {
      document.getElementById("sent").value = (100 * event.detail.loaded) / event.detail.total;
    }
  });
  // What lies on the server already need not travel again with the form.
  body.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "recording" && document.getElementById("asset").value) file.value = "";
  });
}

for (const button of document.querySelectorAll("[data-fill]")) {
  button.addEventListener("click", () => {
    const field = document.querySelector(button.dataset.fill);
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// A new bulletin is kept on this device while it is typed, for this account only, until it is handed in.
const draft = document.getElementById("draft");
const PASSING = new Set(["form_token", "recording", "editing", "revision", "push_now"]);
const drawer = `loa-draft-${body.dataset.me}`;
const store = () => {
  const said = [...new FormData(draft)].filter(([name, value]) => !PASSING.has(name) && typeof value === "string");
  localStorage.setItem(drawer, JSON.stringify(said));
};
const restore = () => {
  const said = JSON.parse(localStorage.getItem(drawer) ?? "null");
  if (!said) return;
  const values = new Map();
  for (const [name, value] of said) values.set(name, [...(values.get(name) ?? []), value]);
  for (const field of draft.elements) {
    if (!field.name || PASSING.has(field.name) || field.name === "act" || field.name === "asset") continue;
    const told = values.get(field.name) ?? [];
    if (field.type === "checkbox" || field.type === "radio") field.checked = told.includes(field.value);
    else if (told.length) field.value = told[0];
  }
};
if (draft?.dataset.keep) {
  try {
    restore();
    draft.addEventListener("change", store);
    draft.addEventListener("submit", () => localStorage.removeItem(drawer));
  } catch {
    // Storage may be forbidden; then nothing is kept, and everything else works.
  }
}
