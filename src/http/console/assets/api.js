// Calls to the service, with the session's cookie and the token that proves that this page asks.
import { elements } from "./html.js";
import { say } from "./say.js";

const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** What an answer was: `ok`, `status`, and `data` (an object; a problem's members when it is one). Never throws: no network is status 0.
 * With `keepalive` it is sent although the page is left. */
export async function call(method, path, body, { keepalive = false } = {}) {
  const headers = { accept: "application/json", "x-csrf-token": csrf };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, keepalive, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    return { ok: false, status: 0, data: { title: say("offline"), detail: say("offline") } };
  }
  if (response.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  const data = await response.json().catch(() => ({}));
  return { ok: response.ok, status: response.status, data };
}

/** Elements that the server renders at `path`; none when it cannot. */
export async function fragment(path) {
  try {
    const response = await fetch(path, { headers: { accept: "text/html", "x-fragment": "1" } });
    if (!response.ok || response.redirected) return [];
    return elements(await response.text());
  } catch {
    return [];
  }
}

/** One sentence about what went wrong. */
export function problem(answer) {
  return answer.data?.detail || answer.data?.title || say("failed");
}
