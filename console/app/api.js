/* The control API by relative paths, through mailbrake-console or, inside Cockpit, by
 * cockpit.http on the control socket. */

const SOCKET = "/run/mailbrake/control.sock";

class Failure extends Error {
  constructor(status, text, missing) {
    super(text);
    this.status = status; /* of HTTP; 0: no answer */
    this.missing = missing; /* a role */
  }
}

/* Header fields are ASCII, so a purpose is percent-encoded. */
const byFetch = async (method, path, headers, body) => {
  if (headers["X-Purpose"]) headers["X-Purpose"] = encodeURIComponent(headers["X-Purpose"]);
  const answer = await fetch(`api${path}`, {
    method,
    body,
    headers,
    credentials: "same-origin",
    redirect: "error",
    cache: "no-store",
  });
  return { status: answer.status, text: await answer.text() };
};

/* One release of Cockpit sends a header field as UTF-8, another as Latin-1: the purpose goes
 * in the body. */
const byCockpit = (cockpit) => {
  const http = cockpit.http({ unix: SOCKET });
  return async (method, path, { "X-Purpose": purpose, ...headers }, body) => {
    let status = 0;
    if (purpose) body = JSON.stringify({ ...JSON.parse(body ?? "{}"), purpose });
    const request = http.request({ method, path, headers, body: body ?? "" });
    request.response((code) => (status = code));
    return request.then(
      (text) => ({ status: status || 200, text }),
      (error, text) => ({ status: error.status ?? 0, text: text ?? "" }),
    );
  };
};

let send = byFetch;

/* Cockpit serves its packages below /cockpit…/, and its own script beside them. */
export async function chooseTransport() {
  if (!location.pathname.startsWith("/cockpit")) return false;
  await new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "../base1/cockpit.js";
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
  send = byCockpit(window.cockpit);
  return true;
}

/* ---- what went wrong, in words ---- */

const CODES = {
  0: "The console does not answer.",
  502: "mailbraked does not answer.",
  504: "mailbraked does not answer in time.",
};

const AWAY = new Set([0, 401, 502, 504]);

function failure(status, answer) {
  const said = answer?.error ?? `The answer was ${status}.`;
  const text = CODES[status] ?? (status === 401 ? `You are not signed in: ${said}.` : said);
  const missing = answer?.missing;
  return new Failure(status, missing ? `Your account lacks the role “${missing}”.` : text, missing);
}

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null; /* cut short, or no JSON */
  }
};

/* body: an object, or nothing. Options: purpose; progress, a token by which GET
 * /v1/progress tells how far it is; refresh: the page asks by itself, nobody has clicked. */
export async function ask(method, path, body, { purpose, progress, refresh } = {}) {
  const headers = { "X-Mailbrake": "1" };
  if (body) headers["Content-Type"] = "application/json";
  if (purpose) headers["X-Purpose"] = purpose;
  if (progress) headers["X-Progress"] = progress;
  if (refresh) headers["X-Refresh"] = "1";
  let answer;
  try {
    answer = await send(method, path, headers, body ? JSON.stringify(body) : undefined);
  } catch {
    throw failure(0);
  }
  const json = parse(answer.text);
  if (answer.status < 200 || answer.status > 299) throw failure(answer.status, json);
  if (json === null) throw new Failure(answer.status, "The answer came only in part: try again.");
  return json;
}

export const get = (path, options) => ask("GET", path, null, options);

/* The token of `mailbrake console`, good once, becomes a cookie. */
export async function enter(token) {
  const answer = await fetch("api/session", {
    method: "POST",
    headers: { "X-Mailbrake": "1", "X-Token": token },
    credentials: "same-origin",
  });
  if (!answer.ok) throw failure(answer.status, parse(await answer.text()));
}

/* A part of a screen: what mailbraked answered, or why it did not. When nobody answers at
 * all, the screen stays as it is. */
export const part = (promise) =>
  promise.then(
    (data) => ({ data }),
    (error) => {
      if (AWAY.has(error.status)) throw error;
      return { error, data: null };
    },
  );

export const query = (name, value) => `${name}=${encodeURIComponent(value)}`;
export const path = (...words) => words.map(encodeURIComponent).join("/");

export const token = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
