// Claims: a lease on a card, kept while the page is there, given back when it is left. Nobody has to claim in order to decide.
import { call, problem } from "./api.js";
import { all, byUid, isOpen, me } from "./cards.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

/** A lease holds for five minutes. */
const RENEW_MS = 240_000;

export const mine = () => all().filter((card) => card.querySelector(".claim[data-mine]")).map((card) => card.dataset.uid);

/** Shows who works on a card; nobody without `by`. */
export function show(uid, by) {
  const card = byUid(uid);
  const line = card?.querySelector(".claim");
  if (!line) return;
  line.hidden = !by;
  line.toggleAttribute("data-mine", by === me);
  line.textContent = !by ? "" : by === me ? say("queue.you-at-it") : say("queue.at-it", { by });
  card.querySelector('[data-action="claim"]')?.setAttribute("aria-pressed", String(by === me));
}

/** Takes a card, or gives it back. */
export async function toggle(card) {
  if (!isOpen(card)) return;
  const { uid } = card.dataset;
  const held = card.querySelector(".claim[data-mine]");
  const answer = await call(held ? "DELETE" : "POST", "/v1/queue/claims", { uids: [uid] });
  if (!answer.ok) return toast(problem(answer));
  if (!held && !answer.data.claimed.includes(uid)) return toast(say("queue.taken"));
  show(uid, held ? undefined : me);
}

setInterval(() => mine().length && call("POST", "/v1/queue/claims", { uids: mine() }), RENEW_MS);
addEventListener("pagehide", () => {
  if (mine().length) call("DELETE", "/v1/queue/claims", { uids: mine() }, { keepalive: true });
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
