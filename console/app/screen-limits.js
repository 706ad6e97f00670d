/* What is left of each limit, of one subject or of those that have used most. */

import { part, query } from "./api.js";
import { button, head, mark, muted, named, strong, when } from "./widgets.js";
import { purposeField, question } from "./dialog.js";
import { all, h } from "./dom.js";
import { field, input } from "./fields.js";
import { column, orFailure, table } from "./table.js";
import { action, at, clean, count, number, span } from "./words.js";

export const title = "Limits";
export const still = true; /* read when it is opened */

export async function load(page, read) {
  const subject = page.args.join("/");
  const path = subject ? `/v1/limits?${query("subject", subject)}` : "/v1/limits/top";
  return { subject, limits: await part(read(path)) };
}

/* How long until a bucket is full again. */
function full(l) {
  if (l.surge !== null && l.surge !== undefined)
    return l.window_ends_at ? all("window ends ", when(l.window_ends_at)) : "no window is open";
  if (l.left === null || l.left >= l.burst) return "full";
  return `in ${span(((l.burst - l.left) * l.period_s) / l.tokens)}`;
}

const rate = (l) =>
  l.surge !== null && l.surge !== undefined
    ? `${l.surge} times what is usual, at least ${number(l.floor)} in ${span(l.window_s)}`
    : `${number(l.tokens)} ${l.unit} in ${span(l.period_s)}, burst ${number(l.burst)}`;

/* How much of it is used, as a bar beside its number. */
function left(l) {
  const used = l.burst > 0 ? Math.min(1, Math.max(0, 1 - (l.left ?? 0) / l.burst)) : 0;
  return all(
    h("meter", { min: 0, max: 1, value: used.toFixed(3), "aria-label": `${Math.round(used * 100)} % used` }),
    ` ${number(l.left)} of ${number(l.burst)}`,
  );
}

const columns = (withSubject) =>
  [
    withSubject
      ? column(
          "Subject",
          (l) => h("a", { href: `#/limits/${encodeURIComponent(l.subject)}` }, named(clean(l.subject))),
          "wide",
        )
      : null,
    column("Rule", (l) => all(strong(clean(l.rule)), l.monitor ? muted(" monitor") : null)),
    column("Left", left, "measure"),
    column("Full", full),
    column("Latch", (l) => (l.latched_until ? mark(`until ${at(l.latched_until)}`) : "")),
    column("Limit", (l) => `${rate(l)}; then ${action(l.action)}`, "wide"),
  ].filter(Boolean);

function resetLimits(page, subject) {
  question({
    title: "Reset the limits",
    act: "Reset them",
    danger: true,
    about: `limits ${subject}`,
    body: h(
      "p",
      {},
      "All limits and surges of ",
      h("strong", {}, clean(subject)),
      " begin anew: buckets full, windows empty, latches off.",
    ),
    fields: [purposeField(`limits ${subject}`, false)],
    async run(values, send) {
      const { reset } = await send("DELETE", `/v1/limits?${query("subject", subject)}`).finally(page.reload);
      return { text: `${count(reset, "limit")} reset.` };
    },
  });
}

export function render({ subject, limits }, page) {
  const show = (event) => {
    event.preventDefault();
    const typed = new FormData(event.target).get("subject").trim();
    location.hash = `#/limits/${encodeURIComponent(typed)}`;
  };
  return all(
    head(title, subject ? h("a", { href: "#/limits" }, "Who has used most") : null),
    h(
      "form",
      { class: "bar", onsubmit: show },
      field(
        "Subject",
        input("subject", { value: subject, required: true, maxlength: "400" }),
        "login:NAME, sender:ADDRESS, client:IP, list:ADDRESS, thread:ID or all",
      ),
      h("button", { class: "primary" }, "Show"),
    ),
    h(
      "div",
      { class: "head" },
      h("h2", {}, subject ? clean(subject) : "Who has used most of a limit in the last minutes"),
      button(subject && limits.data && page.can("permit"), "Reset…", () => resetLimits(page, subject), {
        class: "danger",
      }),
    ),
    orFailure(limits, (data) =>
      table(columns(!subject), data.limits, {
        key: (l) => `${l.rule} ${l.key ?? ""} ${l.subject ?? ""}`,
        caption: "Limits",
        empty: subject ? "No limit applies." : "Nobody has used any.",
      }),
    ),
    subject ? null : button(true, "Read again", page.reload),
  );
}
