// What a technician wrote down and the server has not taken yet: on this phone until it has, in the order in which it
// was written. An entry's name is made here, so whatever is sent twice counts once.
import { openDB } from "idb";

const MOST_AT_ONCE = 50;
const KEPT_MS = 86_400_000;
const opened = openDB("loa-rounds", 1, {
  upgrade: (base) => base.createObjectStore("entries", { keyPath: "n", autoIncrement: true }).createIndex("stop", "stop"),
});

export const name = () => crypto.randomUUID();

// { owner, round, stop, kind, body, photo? } each; all of them are kept, or none is.
export const write = async (entries) => {
  navigator.storage?.persist?.();
  const work = (await opened).transaction("entries", "readwrite", { durability: "strict" });
  const at_ms = Date.now();
  for (const entry of entries) work.store.add({ id: name(), at_ms, state: "waiting", problems: [], ...entry });
  await work.done;
};

export const all = async () => (await opened).getAll("entries");
export const remove = async (n) => (await opened).delete("entries", n);

const note = async (entry, state, problems = []) => {
  const sent = state === "sent" ? { photo: undefined, sent_ms: Date.now() } : {};
  await (await opened).put("entries", { ...entry, ...sent, state, problems });
};

const tidy = async () => {
  for (const entry of await all()) {
    if (entry.state === "sent" && !entry.problems.length && Date.now() - entry.sent_ms > KEPT_MS) await remove(entry.n);
  }
};

export class LoginFirst extends Error {}
export class NotNow extends Error {}

// A page that lay here for hours has an old token, also after its reader logged in again.
const freshToken = async () => {
  const answer = await fetch("/rounds", { cache: "no-store" });
  if (answer.redirected) throw new LoginFirst();
  if (!answer.ok) throw new NotNow();
  const there = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  return there.dataset;
};

const told = async (answer) => {
  const found = await answer.json().catch(() => null);
  if (answer.ok && found) return found;
  if (answer.status === 401) throw new LoginFirst();
  // The token changed on the way: another one is asked for with the next try.
  if (found?.type?.endsWith(":form.foreign")) throw new NotNow();
  // Not ours to judge: a busy server, or a machine in between.
  if (!found?.detail || answer.status >= 500 || answer.status === 429 || answer.status === 408) throw new NotNow();
  return { refused: found.detail };
};

const ask = async (method, address, body, token, type) => {
  const headers = { "X-Form-Token": token, ...(type ? { "Content-Type": type } : {}) };
  return told(await fetch(address, { method, body, headers }));
};

const sendPhoto = async (entry, token) => {
  const about = new URLSearchParams({ stop: entry.stop, which: entry.body.which, at_ms: entry.at_ms, sent_ms: Date.now() });
  const address = `/api/v1/rounds/${entry.round}/photos/${entry.id}?${about}`;
  const found = await ask("PUT", address, entry.photo, token, "application/octet-stream");
  return [found.refused ? { outcome: "refused", problems: [{ detail: found.refused }] } : found];
};

const sendWords = async (entries, token) => {
  const plain = entries.map(({ id, stop, kind, body, at_ms }) => ({ id, stop, kind, body, at_ms }));
  const address = `/api/v1/rounds/${entries[0].round}/entries`;
  const found = await ask("POST", address, JSON.stringify({ entries: plain, sent_ms: Date.now() }), token, "application/json");
  if (!found.refused) return found;
  return entries.map(() => ({ outcome: "refused", problems: [{ detail: found.refused }] }));
};

// The next ones that go together: one photo, or words of one round.
const next = (waiting) => {
  const [first] = waiting;
  if (first.photo) return [first];
  const end = waiting.findIndex((entry) => entry.photo || entry.round !== first.round);
  return waiting.slice(0, end < 0 ? MOST_AT_ONCE : Math.min(end, MOST_AT_ONCE));
};

// Sends what waits of `me`, the oldest first; `moved()` after each step. One page at a time does it. How many went.
// Raises LoginFirst, NotNow, and what fetch raises: all of it stays here.
export const send = (me, moved) => {
  const work = async () => {
    let went = 0;
    const waits = async () => (await all()).filter((entry) => entry.owner === me && entry.state === "waiting");
    let waiting = await waits();
    if (!waiting.length) return went;
    const there = await freshToken();
    if (there.me !== me) throw new LoginFirst();
    for (; waiting.length; waiting = await waits()) {
      const going = next(waiting);
      const results = await (going[0].photo ? sendPhoto(going[0], there.token) : sendWords(going, there.token));
      for (const [place, entry] of going.entries()) {
        const { outcome, problems } = results[place];
        await note(entry, outcome === "refused" ? "refused" : "sent", problems.map((each) => each.detail));
        went += 1;
      }
      await moved();
    }
    await tidy();
    return went;
  };
  return navigator.locks.request("loa-rounds-outbox", work);
};
