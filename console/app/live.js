/* What changes at mailbraked is shown within two seconds: a cheap poll says whether anything
 * has changed, and only then the screen is read again. */

import { get } from "./api.js";

const EVERY_MS = 1000;
const HIDDEN_MS = 15000; /* nobody looks */
const SLOWER = 10; /* a poll that takes long comes less often */
const SLOWEST_MS = 1500; /* so that two seconds are kept */

let seen = null; /* the last state, as /v1/events names it; null: nobody answered */
let timer = 0;
let listener = { changed: () => {}, state: () => {} };

async function poll() {
  clearTimeout(timer);
  const started = performance.now();
  try {
    const { changes, store } = await get("/v1/events", { refresh: true });
    const before = seen;
    seen = changes;
    listener.state({ ok: true, store });
    if (before !== changes) listener.changed();
  } catch (error) {
    seen = null; /* whatever comes back is read anew */
    listener.state({ ok: false, error });
  }
  const slower = Math.min(SLOWER * (performance.now() - started), SLOWEST_MS);
  timer = setTimeout(poll, Math.max(document.hidden ? HIDDEN_MS : EVERY_MS, slower));
}

/* changed(): something has; state({ok, store, error}): after each poll, how
 * it went, and whether mailbraked's store answers ("ok", "local", "down"). */
export function follow(callbacks) {
  listener = callbacks;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void poll();
  });
  void poll();
}
