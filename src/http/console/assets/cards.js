// The cards: which one is current, what is fetched before it is needed, and what each of them shows of what became of it.
import { fragment } from "./api.js";
import { ages } from "./console.js";
import { make } from "./html.js";

export const list = document.getElementById("cards");
export const me = document.body.dataset.person;

/** Cards that are fetched when fewer are left. */
const FEW = 8;

export const all = () => [...list.querySelectorAll("article.card")];
export const current = () => list.querySelector("article.is-current");
export const byUid = (uid) => list.querySelector(`article[data-uid="${CSS.escape(uid)}"]`);
export const isOpen = (card) => !card.matches(".is-decided, .is-gone, [aria-busy]");

/** Makes a card the current one; with `move`, takes eyes and focus there. */
export function go(card, move = true) {
  const before = current();
  if (before !== card) {
    before?.classList.remove("is-current");
    before?.removeAttribute("aria-current");
    card?.classList.add("is-current");
    card?.setAttribute("aria-current", "true");
  }
  if (!card) return;
  if (move) {
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "start", behavior: "instant" });
  }
  sessionStorage.setItem("doorward.at", card.dataset.uid);
  refill();
}

/** Goes to the card before or after; what is decided is passed over. */
export function step(by) {
  const cards = all().filter((card) => card === current() || !card.matches(".is-decided"));
  const to = cards[cards.indexOf(current()) + by];
  if (to) go(to);
}

/** Goes to the next card that can be decided about, or back to the first one that was left. */
export async function next() {
  const after = () => {
    const cards = all();
    return cards.slice(cards.indexOf(current()) + 1).find(isOpen);
  };
  let to = after();
  if (!to && document.getElementById("next")) {
    await refill();
    to = after();
  }
  to ??= all().find(isOpen);
  if (to) go(to);
  settle();
}

/** Says that nothing waits, when nothing does. */
export function settle() {
  const waits = all().some((card) => !card.matches(".is-decided, .is-gone")) || document.getElementById("next");
  document.getElementById("empty").hidden = Boolean(waits);
}

let fetching;

/** Fetches more when few are left. */
export function refill() {
  const link = document.getElementById("next");
  const cards = all();
  const left = cards.slice(cards.indexOf(current()) + 1).filter(isOpen).length;
  if (!link || left >= FEW) return undefined;
  fetching ??= fetchMore(link).finally(() => (fetching = undefined));
  return fetching;
}

async function fetchMore(link) {
  const fresh = await fragment(`/queue/cards?${link.dataset.next}`);
  if (fresh.length === 0 && !(await reachable())) return; // the link stays, and is tried again
  link.remove();
  for (const element of fresh) if (!element.dataset.uid || !byUid(element.dataset.uid)) list.append(element);
  ages(list);
}

const reachable = () => fetch("/healthz").then((answer) => answer.ok, () => false);

/** Cards as they are now, in place of what stands there. Answers those that wait. */
export async function renew(uids, more = "") {
  const fresh = await fragment(`/queue/cards?${uids.map((uid) => `uid=${uid}`).join("&")}${more}`);
  const cards = fresh.filter((element) => element.dataset.uid);
  for (const card of cards) {
    const old = byUid(card.dataset.uid);
    if (!old) continue;
    const [wasCurrent, hadFocus] = [old === current(), old.contains(document.activeElement)];
    old.replaceWith(card);
    if (wasCurrent) go(card, false);
    if (hadFocus) card.focus({ preventScroll: true });
  }
  ages(list);
  settle();
  return cards;
}

/** Folds a card to one line that says what you did, and how to take it back. */
export function fold(card, text, undo) {
  card.querySelector(".done")?.remove();
  card.classList.add("is-decided");
  choose(card, false);
  card.prepend(make("p", { class: "done" }, name(card), " · ", text, " ", undo && make("button", { type: "button", class: "quiet", click: undo }, undo.label)));
}

/** Opens a card again. */
export function unfold(card) {
  card.querySelector(".done")?.remove();
  card.classList.remove("is-decided");
}

/** Greys a card out where it stands, and says why. */
export function gone(card, text) {
  if (card.matches(".is-gone")) return;
  unfold(card);
  card.classList.add("is-gone");
  if (card.querySelector('[data-action="select"]')?.checked) card.dataset.lost = "yes"; // whoever selected it is to hear of it
  choose(card, false);
  for (const control of card.querySelectorAll("[data-action]")) control.disabled = true;
  tell(card, text);
  settle();
}

/** Says something on a card. */
export function tell(card, text) {
  card.querySelector(".done")?.remove();
  const time = make("time", { "data-ago": true, datetime: new Date().toISOString() });
  card.prepend(make("p", { class: "done", role: "status" }, text, " ", time));
  ages(card);
}

/** Selects a card, or not. */
export function choose(card, chosen) {
  const box = card.querySelector('[data-action="select"]');
  if (!box || box.checked === chosen) return;
  box.checked = chosen;
  document.dispatchEvent(new CustomEvent("doorward:selection"));
}

const name = (card) => make("bdi", {}, card.querySelector("h2").textContent.trim().slice(0, 60));
