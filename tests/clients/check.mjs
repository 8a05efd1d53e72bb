// Checks deliveries with the standardwebhooks library of npm, and signs inbound messages with it.
// usage: check.mjs verify SECRET CAPTURED.jsonl | check.mjs inbound SECRET URL
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const [what, secret, where] = process.argv.slice(2);
const right = new Webhook(secret);
const wrong = new Webhook(OTHER);

function verify() {
  const lines = readFileSync(where, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  for (const { body, headers } of lines) {
    right.verify(body, headers);
    assert.throws(() => right.verify(body.replace("comment", "c0mment"), headers), "a tampered body was believed");
    assert.throws(() => right.verify(body, { ...headers, "webhook-id": "another" }), "another id was believed");
    assert.throws(() => wrong.verify(body, headers), "another secret was believed");
    const then = new Date(Date.now() - 3_600_000);
    const stale = { "webhook-id": "m-1", "webhook-timestamp": String(Math.floor(then / 1000)), "webhook-signature": right.sign("m-1", then, body) };
    assert.throws(() => right.verify(body, stale), "an old message was believed");
  }
  assert(lines.length > 0, "nothing was captured");
  console.log(`npm: ${lines.length} deliveries verified, tampered and old ones refused`);
}

async function inbound() {
  const body = JSON.stringify({ id: "in-js", article: { id: "a-1" }, body: "Signed by the library of npm." });
  const send = async (signer, id, at, text = body) => {
    const headers = { "content-type": "application/json", "webhook-id": id, "webhook-timestamp": String(Math.floor(at / 1000)), "webhook-signature": signer.sign(id, at, text) };
    return (await fetch(where, { method: "POST", headers, body: text })).status;
  };
  const now = new Date();
  assert.equal(await send(wrong, "js-1", now), 401, "the wrong secret");
  assert.equal(await send(right, "js-1", new Date(Date.now() - 310_000)), 401, "late");
  assert.equal(await send(right, "js-1", new Date(Date.now() + 310_000)), 401, "early");
  assert.equal(await send(right, "js-1", now), 201, "right");
  assert.equal(await send(right, "js-1", now), 200, "the same again");
  assert.equal(await send(right, "js-1", now, body.replace("Signed", "Resigned")), 409, "the same id, another body");
  console.log("npm: inbound messages taken, wrong ones refused");
}

await { verify, inbound }[what]();
