// Deciding about the one comment that a page is about; the part that changes is shown anew.
import { ask, renew, undo } from "./cases.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

const VERDICTS = {
  approve: { action: "approve" },
  spam: { action: "reject", category: "spam" },
  "off-topic": { action: "reject", category: "off-topic" },
  reject: { action: "reject" },
};
let busy = false;

document.addEventListener("click", async ({ target }) => {
  const what = target.closest("[data-decide]")?.dataset.decide;
  if (!what || busy) return;
  busy = true;
  const part = document.getElementById("list");
  const ruling = VERDICTS[what];
  const reason = part.querySelector("[data-reason]").value.trim() || undefined;
  const items = [{ uid: part.dataset.uid, seen_version: Number(part.dataset.version) }];
  const { ok, status, data } = await ask("POST", "/v1/decisions", { ...ruling, items, reason });
  if (ok) toast(say(ruling.action === "approve" ? "file.approved" : "file.rejected"), () => undo(data.decision));
  if (ok || status === 409) (await renew())?.querySelector("h1")?.focus();
  busy = false;
});
