/* The frame around the screens: which one is shown, when it is read again, and that nothing
 * moves under the pointer. */

import { announce } from "./announce.js";
import { ask, chooseTransport, enter, get } from "./api.js";
import { all, h } from "./dom.js";
import { follow } from "./live.js";
import { morph, morphInPlace } from "./morph.js";
import { problem } from "./widgets.js";
import { atSecond, count, plain } from "./words.js";

const SCREENS = [
  ["now", "Now"],
  ["incidents", "Incidents"],
  ["brakes", "Brakes"],
  ["lists", "Lists"],
  ["explain", "Explain"],
  ["limits", "Limits"],
  ["report", "Report"],
  ["audit", "Audit"],
];
const TICK_MS = 15000; /* "3 min ago" */
const TOUCHED_MS = 3000;
const SLOWER = 5; /* a screen that takes long to read is read less often */
const SLOWEST_MS = 30000;

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
    withheld.textContent = `Show ${count(undone, "change")}`;
    return;
  }
  const hadFocus = view.contains(document.activeElement);
  morph(view, next);
  if (hadFocus && document.activeElement === document.body) view.focus({ preventScroll: true });
  page.drawn = true;
  withheld.hidden = true;
}

/* ---- reading ---- */

/* refresh: the page reads by itself. A screen reads with read(path, body). */
async function load(refresh = false) {
  const mine = page;
  if (mine === null || mine.reading) {
    if (mine) mine.again = true;
    return;
  }
  clearTimeout(mine.timer);
  const forced = mine.forced;
  mine.reading = true;
  mine.again = mine.forced = false;
  const read = (path, body) => ask(body ? "POST" : "GET", path, body, { refresh });
  const started = performance.now();
  try {
    mine.data = await mine.screen.load(mine, read);
    if (mine === page) draw(forced);
  } catch (error) {
    if (mine === page) fail(error);
  }
  mine.reading = false;
  mine.rests = Math.min(SLOWER * (performance.now() - started), SLOWEST_MS);
  mine.readAt = performance.now();
  if (mine !== page) return;
  if (mine.forced) void load(true);
  else if (mine.again) loadLater();
}

/* Soon, but not so often that nothing else is done. */
function loadLater() {
  const mine = page;
  if (mine === null || mine.reading) {
    if (mine) mine.again = true;
    return;
  }
  clearTimeout(mine.timer);
  const rest = (mine.rests ?? 0) - (performance.now() - (mine.readAt ?? 0));
  mine.timer = setTimeout(() => mine === page && void load(true), Math.max(0, rest));
}

/* What was read before stays. */
function fail(error) {
  if (page.data === undefined) view.replaceChildren(h("h1", {}, page.screen.title), problem(error.message));
  else announce(error.message);
}

/* ---- which screen ---- */

function drawNav(name) {
  document.querySelector("nav").replaceChildren(
    ...SCREENS.map(([id, text]) =>
      h(
        "a",
        {
          href: `#/${id}`,
          "aria-current": id === name || (id === "incidents" && name === "incident") ? "page" : null,
        },
        text,
      ),
    ),
  );
}

const states = new Map(); /* what is typed and chosen on a screen, while the page is open */
let opened = 0;

function decode(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

async function open() {
  const mineIs = ++opened;
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...args] = (path || "now").split("/").map(decode);
  const known = name === "incident" || SCREENS.some(([id]) => id === name);
  if (!known) return location.replace("#/now");
  const first = page === null;
  const screen = await import(`./screen-${name}.js`);
  if (mineIs !== opened) return;
  const place = `${path}?${query ?? ""}`;
  if (!states.has(place)) states.set(place, {});
  const mine = {
    screen,
    args,
    query: new URLSearchParams(query ?? ""),
    state: states.get(place),
    can: (role) => who.roles.includes(role),
    user: who.user,
    redraw: () => mine === page && draw(true),
    reload: () => {
      if (mine !== page) return;
      mine.forced = true;
      void load(true);
    },
  };
  page = mine;
  drawNav(name);
  document.title = `${screen.title} – Mailbrake`;
  withheld.hidden = true;
  view.replaceChildren(h("h1", {}, screen.title), h("p", { class: "muted" }, "Loading …"));
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
  /* One that was used before may be of this browser, which has its cookie. */
  await enter(token).catch((error) => get("/v1/whoami").catch(() => Promise.reject(error)));
}

function drawWho() {
  document
    .querySelector(".who")
    .replaceChildren(
      all(plain(who.user), h("span", { class: "muted" }, ` · ${who.roles.join(", ") || "no role"}`)),
    );
}

let away = null; /* since when nobody answers */

const STORE = {
  local: "The store does not answer: each relay counts for itself, with its share of each limit.",
  down: "The store does not answer: mail is treated as on_failure says.",
};

function connectionIs({ ok, store, error }) {
  const back = ok && (away !== null || who.user === "");
  if (!ok) away ??= new Date();
  else away = null;
  const since = page && away ? ` What you see is from ${atSecond(away)}.` : "";
  const text = ok ? (STORE[store] ?? "") : `${error.message}${since}`;
  if (connection.textContent !== text) connection.textContent = text;
  connection.hidden = text === "";
  if (back) void comeBack();
}

/* Roles may be others by now. */
async function comeBack() {
  const known = who.user !== "";
  who = await get("/v1/whoami").catch(() => who);
  drawWho();
  if (known) announce("The connection is back.");
  else if (who.user !== "") await open();
}

const showProblem = (text) => view.replaceChildren(h("h1", {}, "Mailbrake"), problem(text));

async function start() {
  try {
    await chooseTransport();
    await enterByAddress();
    who = await get("/v1/whoami");
  } catch (error) {
    showProblem(error.message);
  }
  drawWho();
  if (who.user !== "" && who.roles.length === 0)
    return showProblem(
      `The account ${plain(who.user)} has no role here. Whoever administers mailbraked can give it one: control.roles in mailbrake.conf.`,
    );
  addEventListener("hashchange", () => void open());
  document.querySelector(".skip").onclick = (event) => {
    event.preventDefault(); /* what is behind # names the screen */
    view.focus();
  };
  if (who.user !== "") await open();
  follow({
    changed: () => {
      if (page && !page.screen.still) loadLater();
    },
    state: connectionIs,
  });
  setInterval(() => {
    if (page?.screen.moves) loadLater();
    else draw();
  }, TICK_MS);
}

void start();
