// The seconds of an emergency: how long one may still cancel, how long ago the button was pressed. What is true stands on
// the server; here it is only counted on between two looks.
const countdown = document.querySelector("[data-left]");
if (countdown) {
  const shown = countdown.querySelector("[data-countdown]");
  const over = performance.now() + Number(countdown.dataset.left);
  const tick = () => {
    const left = over - performance.now();
    shown.textContent = String(Math.max(0, Math.ceil(left / 1000)));
    if (left > 0) setTimeout(tick, 100);
    else setTimeout(() => location.replace(location.pathname), 300);
  };
  tick();
}

const since = document.querySelector("[data-since]:not([data-still])");
if (since) {
  const pressed = performance.now() - Number(since.dataset.since);
  const tell = () => {
    const seconds = Math.floor((performance.now() - pressed) / 1000);
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    since.textContent = parts.map((part) => String(part).padStart(2, "0")).join(":");
  };
  setInterval(tell, 1000);
  tell();
}

// When it is over, the buttons of the page are other ones.
const state = () => document.querySelector("[data-call-state]")?.dataset.callState;
const before = state();
document.body.addEventListener("htmx:afterSettle", () => {
  if (before && state() && state() !== before) location.replace(location.pathname);
});
