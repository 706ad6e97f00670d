/* The frame around the screens: which one is shown, when it is read again, and that nothing
 * moves under the pointer. */

import { ask, chooseTransport, enter, get } from "./api.js";
import { announce } from "./announce.js";
import { h, all } from "./dom.js";
import { follow } from "./live.js";
import { morph, morphInPlace } from "./morph.js";
import { count, plain } from "./words.js";

const SCREENS = [
  ["now", "Now"], ["incidents", "Incidents"], ["brakes", "Brakes"], ["lists", "Lists"],
  ["explain", "Explain"], ["limits", "Limits"], ["report", "Report"], ["audit", "Audit"],
];
const TICK_MS = 15000; /* "3 min ago" */
const TOUCHED_MS = 3000;
const SLOWER = 5; /* a screen that takes long to read is read less often */
const SLOWEST_MS = 4000;

const view = document.getElementById("view");
const connection = document.getElementById("connection");
const withheld = document.getElementById("withheld");

let who = { user: "", roles: [] };
let page = null; /* what is shown */

/* ---- nothing moves under the pointer ---- */

let touched = 0;
let hovers = false; /* the last pointer stays where it was, as a mouse does */
for (const name of ["touchstart", "touchmove", "scroll"])
  addEventListener(name, () => (touched = Date.now()), { passive: true });
for (const name of ["pointerdown", "pointermove"])
  addEventListener(name, (event) => (hovers = event.pointerType === "mouse"), { passive: true });

function isBusy() {
  if (!page?.drawn) return false;
  if (hovers ? view.querySelector(".steady:hover") : Date.now() - touched < TOUCHED_MS) return true;
  return document.activeElement?.closest(".steady") !== null && document.activeElement !== document.body;
}

/* Shows what waited once the list is left. */
for (const name of ["pointerover", "focusin"])
  document.addEventListener(name, () => {
    if (!withheld.hidden && !isBusy()) draw(true);
  });
withheld.onclick = () => draw(true);

function draw(now = false) {
  if (page === null || page.data === undefined) return;
  const next = h("main", { id: "view", tabindex: "-1" }, page.screen.render(page.data, page));
  if (!now && isBusy()) {
    const undone = morphInPlace(view, next);
    withheld.hidden = undone === 0;
    withheld.textContent = `${count(undone, "change")}: show`;
    return;
  }
  morph(view, next);
  page.drawn = true;
  withheld.hidden = true;
}

/* ---- reading ---- */

/* refresh: the page reads by itself. A screen reads with read(path, body). */
async function load(refresh = false) {
  const mine = page;
  if (mine === null || mine.loading) {
    if (mine) mine.again = true;
    return;
  }
  mine.loading = true;
  mine.again = false;
  const read = (path, body) => ask(body ? "POST" : "GET", path, body, { refresh });
  const started = performance.now();
  try {
    const data = await mine.screen.load(mine, read);
    if (mine !== page) return;
    mine.data = data;
    draw(mine.forced);
    mine.forced = false;
  } catch (error) {
    if (mine !== page) return;
    if (mine.data === undefined)
      view.replaceChildren(h("h1", {}, mine.screen.title), h("p", { class: "problem" }, error.message));
    else announce(error.message);
  }
  const took = performance.now() - started;
  setTimeout(() => {
    mine.loading = false;
    if (mine === page && mine.again) void load(true);
  }, Math.min(SLOWER * took, SLOWEST_MS));
}

/* ---- which screen ---- */

function drawNav(name) {
  document.querySelector("nav").replaceChildren(
    ...SCREENS.map(([id, text]) =>
      h("a", { href: `#/${id}`, "aria-current": id === name || (id === "incidents" && name === "incident") ? "page" : null }, text)));
}

const states = new Map(); /* what is typed and chosen on a screen, while the page is open */

async function open() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...args] = (path || "now").split("/").map(decodeURIComponent);
  const known = name === "incident" || SCREENS.some(([id]) => id === name);
  if (!known) return location.replace("#/now");
  const first = page === null;
  const screen = await import(`./screen-${name}.js`);
  const place = `${name}/${args.join("/")}`;
  if (!states.has(place)) states.set(place, {});
  const mine = {
    screen, args, query: new URLSearchParams(query ?? ""), state: states.get(place),
    can: (role) => who.roles.includes(role), user: who.user,
    redraw: () => mine === page && draw(true),
    reload: () => {
      if (mine !== page) return;
      mine.forced = true;
      void load();
    },
  };
  page = mine;
  drawNav(name);
  document.title = `${screen.title} – Mailbrake`;
  withheld.hidden = true;
  view.replaceChildren(h("h1", {}, screen.title), h("p", { class: "muted" }, "Reading …"));
  scrollTo(0, 0);
  if (!first) view.focus({ preventScroll: true });
  await load();
}

/* ---- at the start ---- */

/* The address that `mailbrake console` printed: its token is used, and leaves the history. */
async function enterByAddress() {
  const [, token] = /^#([0-9a-f]{16,128})$/.exec(location.hash) ?? [];
  if (!token) return;
  history.replaceState(null, "", `${location.pathname}#/now`);
  await enter(token);
}

function drawWho() {
  document.querySelector(".who").replaceChildren(
    all(plain(who.user), h("span", { class: "muted" }, ` · ${who.roles.join(", ") || "no role"}`)));
}

let away = null; /* since when nobody answers */

function connectionIs({ ok, error }) {
  if (ok && away !== null) announce("The connection is back.");
  if (!ok) away ??= new Date();
  else away = null;
  connection.hidden = ok;
  connection.textContent = ok ? "" : `${error.message} What you see is from ${away.toLocaleTimeString("en-GB")}.`;
  if (ok && who.user === "") void identify();
}

async function identify() {
  who = await get("/v1/whoami").catch(() => who);
  drawWho();
  if (who.user !== "") await open();
}

async function start() {
  try {
    await chooseTransport();
    await enterByAddress();
    who = await get("/v1/whoami");
  } catch (error) {
    view.replaceChildren(h("h1", {}, "Mailbrake"), h("p", { class: "problem" }, error.message));
  }
  drawWho();
  addEventListener("hashchange", () => void open());
  if (who.user !== "") await open();
  follow({
    changed: () => {
      if (page && !page.screen.still) void load(true);
    },
    state: connectionIs,
  });
  setInterval(() => {
    if (page?.screen.moves) void load(true);
    else draw();
  }, TICK_MS);
}

void start();
