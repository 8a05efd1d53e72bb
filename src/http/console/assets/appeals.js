// Appeals answered, and what readers reported decided about.
import { problem } from "./api.js";
import { ask, choose, leave, news, renew, undo } from "./cases.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

/** What somebody else did first, and what is not there any more: said here, and the next card is looked at. */
const LATE = [404, 409];

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
  const path = `/v1/appeals/${card.dataset.appeal}/answer`;
  const { ok, status, data } = await ask("POST", path, { overturn, answer: text || null }, LATE);
  if (LATE.includes(status)) {
    // Texts for each way in which it can be over: answered either way, or closed because the comment was decided about or edited.
    const said = { overturned: say("appeals.late-overturned"), upheld: say("appeals.late-upheld"), closed: say("appeals.late-closed") };
    toast(status === 404 ? say("appeals.gone") : (said[data.appeal?.state] ?? problem({ data })));
    return leave(card);
  }
  if (!ok) return;
  toast(say(overturn ? "appeals.overturned" : "appeals.upheld"), data.decision ? () => undo(data.decision) : undefined);
  leave(card);
}

async function decide(card, action, category) {
  const items = [{ uid: card.dataset.report, seen_version: Number(card.dataset.version) }];
  const { ok, status, data } = await ask("POST", "/v1/decisions", { items, action, category }, LATE);
  if (ok) toast(say(action === "approve" ? "appeals.approved" : "appeals.rejected"), () => undo(data.decision));
  else if (status === 404) toast(say("appeals.gone"));
  else if (status === 409 && data.current?.status === "held") return changed(card);
  else if (status === 409) toast(first(data));
  if (ok || LATE.includes(status)) leave(card);
}

/** Somebody was faster: what they decided, and that it stands. */
function first({ current, ...data }) {
  if (!current) return problem({ data });
  const by = say(current.decided_by === "person" ? "queue.colleague" : "queue.policy");
  return `${say(current.status === "approved" ? "queue.approved-by" : "queue.rejected-by", { by })}. ${say("queue.not-yours")}`;
}

/** It waits, and is not what was looked at: as it is now, where it stood. */
async function changed(card) {
  toast(say("queue.changed"));
  await renew();
  const fresh = document.querySelector(`[data-report="${CSS.escape(card.dataset.report)}"]`);
  if (fresh) choose(fresh);
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
