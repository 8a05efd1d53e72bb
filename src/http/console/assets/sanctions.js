// Sanctions: imposed and lifted.
import { call, problem } from "./api.js";
import { ask, renew } from "./cases.js";
import { count, say } from "./say.js";
import { toast } from "./toast.js";

async function lift(row, undo) {
  const { ok, data } = await ask("DELETE", `/v1/sanctions/${row.dataset.sanction}${undo ? "?undo=true" : ""}`);
  if (!ok) return;
  const said = [say("sanctions.lifted")];
  if (undo) said.push(count("sanctions.restored", data.restored.length));
  if (data.left_alone.length) said.push(count("sanctions.left-alone", data.left_alone.length));
  toast(said.join(" "), async () => {
    if ((await ask("POST", `/v1/sanctions/${row.dataset.sanction}/resume`)).ok) toast(say("sanctions.resumed"));
    await renew();
  });
  (await renew())?.querySelector("[data-item]")?.focus();
}

document.addEventListener("click", ({ target }) => {
  const action = target.closest("[data-action]")?.dataset.action;
  if (action === "lift" || action === "lift-undo") lift(target.closest("[data-sanction]"), action === "lift-undo");
});

const form = document.querySelector("[data-impose]");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(form));
  const hours = Number(given.hours);
  const body = {
    site: given.site || null,
    target: given.of ? { kind: given.kind, of: given.of } : { kind: given.kind, value: given.value },
    measure: given.measure,
    cause: given.cause,
    expires_at: hours ? new Date(Date.now() + hours * 3_600_000).toISOString() : null,
  };
  const also = { held: given.held === "on", approved_hours: Number(given.approved) };
  if (body.measure === "ban" && (also.held || also.approved_hours)) body.also_reject = also;
  const wrong = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  button.disabled = true;
  const answer = await call("POST", "/v1/sanctions", body);
  button.disabled = false;
  wrong.hidden = answer.ok;
  if (!answer.ok) {
    wrong.textContent = problem(answer);
    return;
  }
  const { id, also_rejected: rejected, more } = answer.data;
  const said = [say("sanctions.imposed")];
  if (rejected.length) said.push(count("sanctions.also-rejected", rejected.length));
  if (more) said.push(say("sanctions.there-is-more"));
  form.reset();
  form.closest("details").open = false;
  toast(said.join(" "), async () => {
    if ((await ask("DELETE", `/v1/sanctions/${id}?undo=true`)).ok) toast(say("sanctions.lifted"));
    await renew();
  });
  const list = await renew();
  (list?.querySelector(`[data-sanction="${id}"]`) ?? form.closest("details").querySelector("summary")).focus();
});
