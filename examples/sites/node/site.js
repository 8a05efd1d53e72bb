// A site of one page: readers comment, Doorward decides, what people decide later comes back by webhook.
// DOORWARD=http://127.0.0.1:8080 KEY=… WEBHOOK_SECRET=whsec_… PORT=9000 node site.js
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";

const { DOORWARD, KEY, WEBHOOK_SECRET, PORT } = process.env;
const webhook = new Webhook(WEBHOOK_SECRET);
const article = { id: "trams", title: "Trams on Mondays", text: "From Monday on, trams run every ten minutes." };
const comments = new Map(); // by id; in earnest a table

async function ask({ id, body, author }) { // what was not answered stays unchecked and is asked again: the id makes that harmless
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify({ id, body, author, article }), signal: AbortSignal.timeout(5000) };
  const answer = await fetch(`${DOORWARD}/v1/comments`, request).catch(() => undefined);
  if (answer?.ok) learn(await answer.json());
}
function learn({ id, version, status, decided_by: by }) { // messages may come late or twice: the version says what is news
  const one = comments.get(id);
  if (one && version > one.version) Object.assign(one, { version, status, by });
}
async function page() {
  for (const one of comments.values()) if (one.status === "unchecked") await ask(one);
  const plain = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const rows = [...comments.values()].map((one) => `<li id=${one.id}>${one.status === "approved" ? plain(one.body) : "…"} <i>${one.status} by ${one.by}</i>`);
  return `<!doctype html><title>${article.title}</title><p>${article.text}<ul>${rows.join("")}</ul>
    <form method=post><input name=name><textarea name=body></textarea><button>Post</button></form>`;
}
createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (request.method === "GET") return response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(await page());
  if (request.url === "/doorward") {
    try { webhook.verify(body, request.headers); } catch { return response.writeHead(401).end(); }
    const event = JSON.parse(body);
    if (event.type === "comment.erased") comments.delete(event.data.id);
    else if (event.type.startsWith("comment.")) learn(event.data);
    return response.writeHead(204).end();
  }
  const form = new URLSearchParams(body);
  const one = { id: randomUUID(), body: form.get("body"), author: { name: form.get("name") }, version: 0, status: "unchecked", by: "nobody" };
  comments.set(one.id, one);
  await ask(one);
  response.writeHead(303, { location: "/" }).end();
}).listen(Number(PORT), "127.0.0.1");
