/* Permits: whom each would let write to is said before it is set. */

import { get, part, path, query } from "./api.js";
import { PENDING, question, withPreview } from "./dialog.js";
import { h } from "./dom.js";
import { addresses, field, given, input, KEYS, reasonField, select } from "./fields.js";
import { at, clean, copies, key, messages, people } from "./words.js";

/* How many each address reaches, asked once, and not while it is being typed: each is a look
 * that the audit names. */
function permitTouches() {
  const asked = new Map();
  const size = async (address) => {
    if (!asked.has(address)) asked.set(address, part(get(`/v1/lists?${query("address", address)}`)));
    return (await asked.get(address)).data?.lists[0]?.size;
  };
  return async ({ copies: typed, to }) => {
    const names = addresses(to).slice(0, 10);
    if (names.length === 0) return "Without addresses: to anyone.";
    if (document.activeElement?.name === "to") return "";
    const sizes = await Promise.all(names.map(size));
    const line = (name, n) => {
      if (n === undefined) return `${clean(name)}: 1 person`;
      const enough = `enough for ${messages(Math.floor(Number(typed) / Math.max(1, n)))}`;
      return `${clean(name)}: ${people(n)}; ${typed ? enough : `${copies(n)} a message`}`;
    };
    return names.map((name, i) => line(name, sizes[i])).join(". ");
  };
}

/* The form's local time as the API wants it. */
const instant = (local) => new Date(local).toISOString().replace(/\.\d+Z$/, "Z");
const PERMIT_TIMES = [
  ["1h", "1 hour"],
  ["2h", "2 hours"],
  ["4h", "4 hours"],
  ["8h", "8 hours"],
  ["1d", "1 day"],
  ["7d", "a week"],
];

const permitFields = () => [
  field("Whose mail", input("key", { required: true, maxlength: "300" }), KEYS),
  field("To", input("to", { maxlength: "2000" }), "Addresses of lists or people; empty: anyone"),
  field(
    "Copies",
    input("copies", { required: true, inputmode: "numeric", pattern: "[0-9]{1,10}", title: "A number" }),
  ),
  field(
    "From",
    input("from", { type: "datetime-local" }),
    "In the time zone of this browser; empty: from now on",
  ),
  field("For", select("for", PERMIT_TIMES, "2h")),
  reasonField(),
];

export function setPermit(page) {
  const dialog = question({
    title: "Set a permit",
    act: "Set the permit",
    about: "permit",
    body: h(
      "p",
      {},
      "An announced mailing passes all rules, up to so many copies. What exceeds it meets the rules.",
    ),
    fields: permitFields(),
    async run({ key: typed, to, copies: n, from, for: span, reason }, send) {
      const rest = given({ from: from && instant(from), reason });
      const body = { key: typed.trim(), to: addresses(to), copies: Number(n), for: span, ...rest };
      const permit = await send("POST", "/v1/permits", body).finally(page.reload);
      const time = `from ${at(permit.from)} until ${at(permit.until)}`;
      return {
        text: `${copies(permit.copies)} of ${clean(permit.key)} pass ${time}.${permit.pending ? ` ${PENDING}` : ""}`,
      };
    },
  });
  withPreview(dialog, permitTouches());
}

export function endPermit(page, permit) {
  question({
    title: "End the permit",
    act: "End it",
    about: `permit ${permit.id}`,
    body: h("p", {}, "Mail of ", h("strong", {}, key(permit.key).value), " meets the rules again."),
    async run(values, send) {
      await send("DELETE", `/v1/permits/${path(permit.id)}`).finally(page.reload);
      return { text: "The permit has ended." };
    },
  });
}
