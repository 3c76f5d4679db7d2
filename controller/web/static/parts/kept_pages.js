// The pages of a round that lie on this phone (round_worker.js), whose they are, and how they are removed.
const OWNER = "loa.rounds.owner";
export const PAGES = "loa-rounds";

export const forget = () => {
  localStorage.removeItem(OWNER);
  return globalThis.caches ? caches.delete(PAGES) : Promise.resolve(false);
};

export const own = (me) => localStorage.setItem(OWNER, me);

// What somebody read is for him: gone when he logs out here, and before somebody else reads here.
export const guard = (me) => {
  const owner = localStorage.getItem(OWNER);
  if (owner && me && owner !== me) forget();
  for (const form of document.querySelectorAll('form[action="/logout"]')) form.addEventListener("submit", forget);
};
