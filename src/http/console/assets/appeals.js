// Appeals answered, and what readers reported decided about.
import { ask, leave, news, undo } from "./cases.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

async function answer(card, overturn) {
  const field = card.querySelector("[data-answer]");
  const text = field.value.trim();
  const hint = card.querySelector("[data-hint]");
  if (!overturn && !text && !hint.textContent) {
    // There is no way back from this one, and the answer is all that its author gets to read.
    hint.textContent = say("appeals.no-answer");
    field.focus();
    return;
  }
  const { ok, data } = await ask("POST", `/v1/appeals/${card.dataset.appeal}/answer`, { overturn, answer: text || null });
  if (!ok) return;
  toast(say(overturn ? "appeals.overturned" : "appeals.upheld"), data.decision ? () => undo(data.decision) : undefined);
  leave(card);
}

async function decide(card, action, category) {
  const items = [{ uid: card.dataset.report, seen_version: Number(card.dataset.version) }];
  const { ok, status, data } = await ask("POST", "/v1/decisions", { items, action, category });
  if (ok) toast(say(action === "approve" ? "appeals.approved" : "appeals.rejected"), () => undo(data.decision));
  if (ok || status === 409 || status === 404) leave(card);
}

const ACTIONS = {
  overturn: (card) => answer(card, true),
  uphold: (card) => answer(card, false),
  approve: (card) => decide(card, "approve", null),
  spam: (card) => decide(card, "reject", "spam"),
  "off-topic": (card) => decide(card, "reject", "off-topic"),
  abuse: (card) => decide(card, "reject", "abuse"),
};

let busy = false;
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-action]");
  const action = button && ACTIONS[button.dataset.action];
  if (!action || busy) return;
  busy = true;
  try {
    await action(button.closest("[data-item]"));
  } finally {
    busy = false;
  }
});

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-code]") || !target.value) return;
  const field = target.closest("[data-item]").querySelector("[data-answer]");
  field.value = [field.value.trim(), target.value].filter(Boolean).join(" ");
  target.selectedIndex = 0;
  field.focus();
});

const reports = document.querySelector("[data-news]").dataset.news === "reports";
news(reports ? ["reported"] : ["appeal"], (event) => (reports ? event.uid : event.state === "open" && event.appeal));
