// Campaigns: decided about once, with exceptions; rules for who joins; closed or merged.
import { ask, news, renew, undo } from "./cases.js";
import { count, say } from "./say.js";
import { toast } from "./toast.js";

const one = () => document.querySelector("#list[data-campaign]");
const uid = one()?.dataset.campaign;
const kept = `except:${uid}`;
const find = (selector) => document.querySelector(selector);

/** Who is left out, also on pages of the list that are not shown: remembered as long as this tab is open. */
const left = new Set(uid ? JSON.parse(sessionStorage.getItem(kept) ?? "[]") : []);

function showLeft() {
  for (const box of document.querySelectorAll('input[name="except"]')) box.checked = left.has(box.value);
  const text = find("[data-left-out]");
  if (text) text.textContent = left.size ? count("campaigns.left-out", left.size) : "";
}

document.addEventListener("change", ({ target }) => {
  if (target.name !== "except") return;
  if (target.checked) left.add(target.value);
  else left.delete(target.value);
  sessionStorage.setItem(kept, JSON.stringify([...left]));
  showLeft();
});
document.addEventListener("doorward:renewed", showLeft);
showLeft();

const until = () => new Date(Date.now() + Number(find("[data-hours]").value) * 3_600_000).toISOString();

async function shown(text, back) {
  toast(text, back);
  (await renew())?.querySelector("h1")?.focus();
}

async function decide(action, category) {
  const body = { action, category, seen_size: Number(one().dataset.size), except: [...left], reason: find("[data-reason]").value.trim() || null };
  if (action === "reject" && find("[data-future]").checked) Object.assign(body, { future: true, future_until: until() });
  const { ok, data } = await ask("POST", `/v1/campaigns/${uid}/decisions`, body);
  if (!ok) return;
  const said = [count(action === "approve" ? "campaigns.approved" : "campaigns.rejected", data.applied.length)];
  const skipped = [
    ["campaigns.skipped-conflicts", data.conflicts.length],
    ["campaigns.skipped-later", data.later.length],
    ["campaigns.skipped-outside", data.outside],
    ["campaigns.skipped-except", left.size],
  ];
  for (const [why, n] of skipped) if (n) said.push(count(why, n));
  if (body.future) said.push(say(data.future_until ? "campaigns.rule-made" : "campaigns.no-rule-made"));
  left.clear();
  sessionStorage.removeItem(kept);
  await shown(said.join(" "), () => undo(data.decision));
}

async function rule(ends) {
  const answer = ends ? await ask("PUT", `/v1/campaigns/${uid}/rule`, { until: ends }) : await ask("DELETE", `/v1/campaigns/${uid}/rule`);
  return answer.ok;
}

const ACTIONS = {
  approve: () => decide("approve", null),
  spam: () => decide("reject", "spam"),
  "off-topic": () => decide("reject", "off-topic"),
  undo: ({ decision }) => undo(decision),
  "set-rule": async () => (await rule(until())) && shown(say("campaigns.rule-made"), async () => (await rule(null)) && renew()),
  "end-rule": async ({ until: before }) => (await rule(null)) && shown(say("campaigns.rule-ended"), async () => (await rule(before)) && renew()),
  close: async () => (await ask("POST", `/v1/campaigns/${uid}/close`)).ok && shown(say("campaigns.closed")),
  merge: async () => {
    const into = find("[data-into]").value;
    if ((await ask("POST", `/v1/campaigns/${uid}/merge`, { into })).ok) location.assign(`/campaigns/${into}`);
  },
};

let busy = false;
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-action]");
  const action = button && ACTIONS[button.dataset.action];
  if (!action || busy) return;
  busy = true;
  try {
    await action(button.dataset);
  } finally {
    busy = false;
  }
});

news(["campaign.recognised", "campaign.grew", "campaign.changed"], ({ campaign }) => (!uid || campaign === uid) && campaign);
