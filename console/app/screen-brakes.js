/* What was set by hand: brakes stop, permits let pass. */

import { part } from "./api.js";
import { between, button, hint, mark, muted, when } from "./widgets.js";
import { clearBrake, setBrake } from "./actions-brake.js";
import { endPermit, setPermit } from "./actions-permit.js";
import { all, h } from "./dom.js";
import { column, orFailure, table } from "./table.js";
import { action, clean, key, number, plain } from "./words.js";

export const title = "Brakes and permits";

export async function load(page, read) {
  const [brakes, permits] = await Promise.all(
    ["/v1/brakes", `/v1/permits${page.state.ended ? "?all=1" : ""}`].map((path) => part(read(path))),
  );
  return { brakes, permits };
}

const named = (text) => {
  const { kind, value } = key(text);
  return all(h("strong", { class: "name" }, value), kind ? muted(` ${kind}`) : null);
};

const brakeTable =
  (page) =>
  ({ brakes }) =>
    table(
      [
        column("Whose mail", (b) => named(b.key), "wide"),
        column("What happens", (b) => action(b.action)),
        column("Until", (b) => (b.until ? when(b.until) : "cleared by hand")),
        column(
          "By",
          (b) =>
            all(
              plain(b.by),
              b.reason ? muted(` – ${plain(b.reason)}`) : null,
              b.pending ? " (this relay alone, until the store is back)" : "",
            ),
          "wide",
        ),
        column(
          "",
          (b) =>
            button(page.can("brake"), "Clear…", () => clearBrake(page, b), {
              "aria-label": `Clear the brake on ${clean(b.key)}`,
            }),
          "act",
        ),
      ],
      brakes,
      { key: (b) => b.key, caption: "Brakes", empty: "No brake is set." },
    );

const STATES = { active: "in force", scheduled: "to come", used: "used up", lapsed: "over", ended: "ended" };
const inForce = (p) => p.state === "active" || p.state === "scheduled";

const permitTable =
  (page) =>
  ({ permits }) =>
    table(
      [
        column("Whose mail", (p) => named(p.key), "wide"),
        column("To", (p) => (p.to.length === 0 ? "anyone" : p.to.map(clean).join(", ")), "wide"),
        column("Left", (p) => `${number(p.left)} of ${number(p.copies)}`, "n"),
        column("State", (p) =>
          all(
            p.state === "active" ? mark(STATES.active) : STATES[p.state],
            p.ended_by ? ` by ${plain(p.ended_by)}` : "",
          ),
        ),
        column("When", (p) => between(p.from, p.until)),
        column("By", (p) => all(plain(p.by), p.reason ? muted(` – ${plain(p.reason)}`) : null)),
        column(
          "",
          (p) =>
            button(page.can("permit") && inForce(p), "End…", () => endPermit(page, p), {
              "aria-label": `End the permit of ${clean(p.key)}`,
            }),
          "act",
        ),
      ],
      permits,
      { key: (p) => p.id, caption: "Permits", empty: "No permit is set." },
    );

export function render({ brakes, permits }, page) {
  const { state, reload } = page;
  return all(
    h("h1", {}, title),
    h(
      "section",
      {},
      h(
        "div",
        { class: "head" },
        h("h2", {}, "Brakes"),
        button(page.can("brake"), "Set a brake…", () => setBrake(page)),
        button(page.can("brake"), "Brake everything…", () => setBrake(page, "all"), { class: "danger" }),
      ),
      hint(
        "Stops the mail of a login, a sender, a client or a domain, or to a list, on all relays, before any rule.",
      ),
      orFailure(brakes, brakeTable(page)),
    ),
    h(
      "section",
      {},
      h(
        "div",
        { class: "head" },
        h("h2", {}, "Permits"),
        button(page.can("permit"), "Set a permit…", () => setPermit(page)),
        h(
          "button",
          {
            onclick: () => {
              state.ended = !state.ended;
              reload();
            },
          },
          state.ended ? "Hide what ended" : "Show what ended",
        ),
      ),
      hint("Lets an announced mailing pass all rules, up to so many copies."),
      orFailure(permits, permitTable(page)),
    ),
  );
}
