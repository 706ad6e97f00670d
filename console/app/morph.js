/* Makes a tree equal to another one, keeping the elements that are there: focus, what is
 * typed, and the place of a row under the pointer stay. */

const HANDLERS = ["onclick", "onsubmit", "oninput", "onchange", "onkeydown"];
/* Of the user, or of the browser. */
const OWN = { DETAILS: ["open"], INPUT: ["checked", "value"], OPTION: ["selected"] };

function isSame(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.key === b.key;
}

function morphAttributes(node, next) {
  const own = OWN[node.nodeName] ?? [];
  for (const { name, value } of next.attributes)
    if (!own.includes(name) && node.getAttribute(name) !== value) node.setAttribute(name, value);
  for (const { name } of [...node.attributes])
    if (!own.includes(name) && !next.hasAttribute(name)) node.removeAttribute(name);
  for (const name of HANDLERS) if (node[name] !== next[name]) node[name] = next[name];
}

/* By key and by kind, in the new order. */
function morphChildren(node, next) {
  const left = new Map();
  for (const child of node.childNodes) if (child.key !== undefined) left.set(child.key, child);
  let place = node.firstChild;
  for (const wanted of [...next.childNodes]) {
    const keyed = wanted.key === undefined ? undefined : left.get(wanted.key);
    let found = keyed && isSame(keyed, wanted) ? keyed : null;
    if (found) left.delete(wanted.key);
    if (!found && wanted.key === undefined && place && isSame(place, wanted)) found = place;
    if (!found) {
      node.insertBefore(wanted, place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else node.insertBefore(found, place);
    morph(found, wanted);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

export function morph(node, next) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== next.data) node.data = next.data;
    return;
  }
  morphAttributes(node, next);
  morphChildren(node, next);
}

/* The same without moving anything: texts and attributes alone. Returns how much was left
 * undone: elements that came, went, or moved. */
export function morphInPlace(node, next) {
  if (node.nodeType === Node.TEXT_NODE) {
    morph(node, next);
    return 0;
  }
  morphAttributes(node, next);
  const wanted = [...next.childNodes];
  const keyed = new Map(wanted.filter((c) => c.key !== undefined).map((c) => [c.key, c]));
  const children = [...node.childNodes];
  let undone = Math.max(0, wanted.length - children.length);
  children.forEach((child, i) => {
    const match = child.key === undefined ? wanted[i] : keyed.get(child.key);
    if (match && isSame(child, match)) {
      if (child.key !== undefined && wanted[i] !== match) undone++;
      undone += morphInPlace(child, match);
    } else {
      undone++;
    }
  });
  return undone;
}
