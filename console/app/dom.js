/* Elements from a tag, properties and children. Text becomes text nodes and nothing else, so
 * nothing that a sender wrote can become markup. */

const SVG = "http://www.w3.org/2000/svg";

function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/* Functions become handlers; true an empty attribute; null, undefined and false none. `key`
 * names an element among its siblings for morph(). */
function set(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "key") node.key = String(value);
    else if (typeof value === "function") node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  return node;
}

export function h(tag, properties = {}, ...children) {
  return add(set(document.createElement(tag), properties), children);
}

export function svg(tag, properties = {}, ...children) {
  return add(set(document.createElementNS(SVG, tag), properties), children);
}

/* Children without an element around them. */
export function all(...children) {
  return add(document.createDocumentFragment(), children);
}
