// Answers for /rounds where the network does not: pages of a round that was opened once, and what they load. Anything
// else, and whatever changes something, goes past it (parts/outbox.js keeps what could not be sent).
import { PAGES } from "./parts/kept_pages.js";

const PATIENCE_MS = 6000;
const PAGE = /^\/rounds(\/[^/]+(\/stops\/[^/]+)?)?$/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// The log-in page in place of the one that was asked for, or a machine in between, is nothing to keep.
const keeps = (answer) => answer.ok && !answer.redirected && answer.type === "basic";
const key = (address) => new URL(address, self.location.origin).pathname;

const put = async (address, answer) => {
  if (keeps(answer)) await (await caches.open(PAGES)).put(key(address), answer.clone());
  return answer;
};

const page = async (event) => {
  const request = event.request;
  const kept = await caches.match(key(request.url));
  const asked = fetch(request).then((answer) => put(request.url, answer));
  event.waitUntil(asked.catch(() => {}));
  if (!kept) return asked.catch(async (error) => (await caches.match("/rounds")) ?? Promise.reject(error));
  // One bar of signal: who waits longer than that reads what is here, and the fresh one is kept when it comes.
  const late = new Promise((after) => setTimeout(after, PATIENCE_MS, kept));
  return Promise.race([asked.then((answer) => (answer.status >= 500 ? kept : answer)), late]).catch(() => kept);
};

const asset = async (request) => (await caches.match(key(request.url))) ?? put(request.url, await fetch(request));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate" && PAGE.test(address.pathname)) event.respondWith(page(event));
  else if (address.pathname.startsWith("/static/")) event.respondWith(asset(request));
});

// { keep: [addresses] } brings them here and tells how many are; { drop: address } removes a round that is over.
const keep = async (addresses) => {
  const cache = await caches.open(PAGES);
  let here = 0;
  for (const address of addresses) {
    const immutable = address.startsWith("/static/");
    if (immutable && (await cache.match(address))) here += 1;
    else {
      const answer = await fetch(address, { cache: immutable ? "default" : "no-store" }).catch(() => null);
      if (answer && keeps(answer)) {
        await cache.put(key(address), answer);
        here += 1;
      } else if (await cache.match(key(address))) here += 1;
    }
  }
  return here;
};

const drop = async (address) => {
  const cache = await caches.open(PAGES);
  for (const request of await cache.keys()) {
    const path = key(request.url);
    if (path === address || path.startsWith(`${address}/`)) await cache.delete(request);
  }
};

self.addEventListener("message", (event) => {
  const told = event.data;
  if (told.keep) event.waitUntil(keep(told.keep).then((here) => event.ports[0]?.postMessage({ here })));
  if (told.drop) event.waitUntil(drop(told.drop));
});
