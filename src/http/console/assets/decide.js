// Decisions: the card folds at once, the service is asked meanwhile, and what it says in the end is what stands there.
import { call, problem } from "./api.js";
import { byUid, current, fold, gone, go, isOpen, next, renew, tell, unfold } from "./cards.js";
import { refresh } from "./filter.js";
import { count, say } from "./say.js";
import { toast } from "./toast.js";

/** What the keys for one press decide. */
const VERDICTS = {
  approve: () => ({ action: "approve" }),
  spam: () => ({ action: "reject", category: "spam", why: say("queue.spam") }),
  "off-topic": () => ({ action: "reject", category: "off-topic", why: say("queue.off-topic") }),
};

/** Decides about cards, or asks why first. `lost` were selected too, before colleagues decided about them. */
export function decide(cards, what, lost = 0) {
  const open = cards.filter(isOpen);
  if (open.length === 0) return;
  if (what === "reject") ask(open, lost);
  else rule(open, VERDICTS[what](), lost);
}

async function rule(cards, { action, category, why, reason, note }, lost = 0) {
  const items = cards.map((card) => ({ uid: card.dataset.uid, seen_version: Number(card.dataset.version) }));
  const sent = call("POST", "/v1/decisions", { items, action, category, reason, note });
  const approves = action === "approve";
  let began = false;
  const undo = async () => {
    if (began) return;
    began = true;
    began = await takeBack(sent); // what failed may be tried again
  };
  undo.label = say("undo");
  const others = cards.length > 1 ? ` ${say("queue.with-others", { n: cards.length - 1 })}` : "";
  for (const card of cards) fold(card, say(approves ? "queue.approved-by-you" : "queue.rejected-by-you", { why }) + others, undo);
  const said = (n, skipped) => [count(approves ? "queue.approved" : "queue.rejected", n, { why }), ...(skipped ? [count("queue.skipped", skipped)] : [])];
  const close = toast(said(cards.length, lost).join(" "), undo);
  if (!current() || !isOpen(current())) next();

  const answer = await sent;
  refresh();
  if (answer.ok) {
    const { applied, conflicts, missing } = answer.data;
    for (const { uid, current } of conflicts) conflict(byUid(uid), current);
    for (const uid of missing) gone(byUid(uid), say("queue.left"));
    if (conflicts.length + missing.length === 0) return;
    close();
    const parts = said(applied.length, conflicts.length + lost);
    if (missing.length) parts.push(count("queue.gone", missing.length));
    toast(parts.join(" "), undo);
    return;
  }
  close();
  if (answer.status === 409 && answer.data.current) return conflict(cards[0], answer.data.current);
  if (answer.status === 404) return gone(cards[0], say("queue.left"));
  for (const card of cards) unfold(card);
  toast(say("queue.failed", { why: problem(answer) }));
}

/** Somebody was faster: their verdict is shown, ours is not applied; of an edit, the text as it is now. */
async function conflict(card, now) {
  if (!card) return;
  if (now.status === "held") {
    const [fresh] = await renew([now.uid]);
    if (fresh) tell(fresh, say("queue.changed"));
    return;
  }
  const by = card.dataset.by ?? say(now.decided_by === "person" ? "queue.colleague" : "queue.policy");
  const text = `${say(now.status === "approved" ? "queue.approved-by" : "queue.rejected-by", { by })}. ${say("queue.not-yours")}`;
  gone(card, text);
  toast(text);
}

async function takeBack(sent) {
  const answer = await sent;
  if (!answer.ok) return true; // there is nothing to take back
  const undone = await call("POST", `/v1/decisions/${answer.data.decision}/undo`);
  if (!undone.ok) {
    toast(problem(undone));
    return false;
  }
  const [first] = await renew(undone.data.applied);
  if (first) go(first);
  refresh();
  const { applied, conflicts } = undone.data;
  toast([...(applied.length ? [say("queue.undone")] : []), ...(conflicts.length ? [count("queue.skipped", conflicts.length)] : [])].join(" "));
  return true;
}

const dialog = document.getElementById("reject");
const form = dialog?.querySelector("form");
let asked = [];
let askedLost = 0;

function ask(cards, lost) {
  [asked, askedLost] = [cards, lost];
  form.reset();
  dialog.showModal();
  form.elements.why[0].focus();
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = form.querySelector('[name="why"]:checked');
  const why = chosen.closest("label").querySelector("span").textContent;
  const words = form.elements.words.value.trim();
  const note = form.elements.note.value.trim();
  dialog.close();
  rule(asked.filter(isOpen), { action: "reject", category: chosen.value, why, reason: words ? `${why}: ${words}` : why, note: note || undefined }, askedLost);
});

dialog?.addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.key === "Enter") return form.requestSubmit();
  if (event.target.matches("textarea") || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const box = form.elements.why[Number(event.key) - 1];
  if (!box) return;
  event.preventDefault();
  box.checked = true;
  form.requestSubmit();
});
