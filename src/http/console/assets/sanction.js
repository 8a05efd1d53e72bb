// Sanctions from a card: whom its comment says, for how long somebody has to say; taken back with the toast.
import { call, problem } from "./api.js";
import { byUid, fold, go, isOpen, next, renew } from "./cards.js";
import { refresh } from "./filter.js";
import { make } from "./html.js";
import { count, say } from "./say.js";
import { toast } from "./toast.js";

const dialog = document.getElementById("sanction");
const form = dialog?.querySelector("form");
let card;

/** Asks what, whom, for how long and why. */
export function sanction(of) {
  const target = form.elements.target;
  const words = (text) => text.split(" ").filter(Boolean);
  const aims = words(of.dataset.aims).map((kind) => make("option", { value: kind }, target.getAttribute(`data-${kind}`)));
  const hosts = words(of.dataset.hosts).map((host) => make("option", { value: `host ${host}` }, `${target.dataset.host} ${host}`));
  if (aims.length + hosts.length === 0) return toast(say("queue.no-target"));
  card = of;
  form.reset();
  target.replaceChildren(...aims, ...hosts);
  const reasons = [...of.querySelectorAll(".reasons [data-signal] b")].slice(0, 2).map((reason) => reason.textContent);
  form.elements.cause.value = reasons.join(", ").slice(0, 200);
  fail("");
  dialog.showModal();
}

function fail(text) {
  const line = form.querySelector('[role="alert"]');
  line.hidden = !text;
  line.textContent = text;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.dataset.asking) return; // pressed twice
  const { measure, target, hours, cause, held } = form.elements;
  const [kind, host] = target.value.split(" ");
  const { uid, site } = card.dataset;
  const ask = { site, measure: measure.value, cause: cause.value.trim(), target: host ? { kind, value: host } : { kind, of: uid } };
  if (hours.value !== "none") ask.expires_at = new Date(Date.now() + Number(hours.value) * 3_600_000).toISOString();
  if (ask.measure === "ban" && held.checked) ask.also_reject = { held: true };
  form.dataset.asking = "yes";
  const answer = await call("POST", "/v1/sanctions", ask);
  delete form.dataset.asking;
  if (!answer.ok) return fail(problem(answer));
  dialog.close();
  const { id, also_rejected: rejected } = answer.data;
  const undo = async () => {
    const lifted = await call("DELETE", `/v1/sanctions/${id}?undo=true`);
    if (!lifted.ok) return toast(problem(lifted));
    const shown = lifted.data.restored.filter(byUid);
    const [first] = shown.length ? await renew(shown) : [];
    if (first) go(first);
    refresh();
    toast(say("queue.lifted"));
  };
  undo.label = say("undo");
  for (const other of rejected.map(byUid)) if (other) fold(other, say("queue.rejected-by-you", { why: ask.cause }), undo);
  toast([say("queue.sanctioned"), rejected.length ? count("queue.also", rejected.length) : ""].join(" "), undo);
  if (!isOpen(card)) next();
  else go(card);
  refresh();
});
