// The queue: what clicks and keys do, and what happens meanwhile.
import { fragment } from "./api.js";
import { all, byUid, current, go, gone, isOpen, list, me, next, refill, renew, settle, step } from "./cards.js";
import { show as claimed, toggle } from "./claim.js";
import { ages } from "./console.js";
import { decide } from "./decide.js";
import { refresh } from "./filter.js";
import { on } from "./keys.js";
import { sanction } from "./sanction.js";
import { count, say } from "./say.js";
import "./select.js";

on("j", say("queue.next"), () => step(1));
on("k", say("queue.previous"), () => step(-1));
// On a card that is gone these keys have no button: they lead on, and decide nothing.
for (const key of ["a", "f", "s", "t", "d"]) on(key, "", () => current() && !isOpen(current()) && next());

list.addEventListener("click", (event) => {
  const card = event.target.closest("article");
  if (!card) return;
  go(card, false);
  const action = event.target.closest("button[data-action]")?.dataset.action;
  if (["approve", "spam", "off-topic", "reject"].includes(action)) decide([card], action);
  else if (action === "claim") toggle(card);
  else if (action === "sanction") sanction(card);
  else if (action === "whole") renew([card.dataset.uid], "&whole=true");
});
list.addEventListener("focusin", (event) => {
  const card = event.target.closest("article");
  if (card && card !== current() && isOpen(card)) go(card, false);
});

document.addEventListener("click", ({ target }) => target.closest("[data-close]")?.closest("dialog").close());

// One at a time.
const one = document.getElementById("one");
function single(on) {
  list.classList.toggle("one", on);
  one.setAttribute("aria-pressed", String(on));
  localStorage.setItem("doorward.one", on ? "yes" : "");
}
one.addEventListener("click", () => {
  single(!list.matches(".one"));
  if (current()) go(current());
});
single(localStorage.getItem("doorward.one") === "yes");

// What is marked says why.
const why = document.getElementById("why");
function explain(mark) {
  const reasons = mark.closest("article").querySelectorAll(".reasons > li");
  const said = mark.dataset.why.split(" ").map((at) => reasons[Number(at)]?.textContent.trim()).filter(Boolean);
  why.textContent = said.join("\n");
  why.hidden = false;
  const at = mark.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - why.offsetWidth - 8));
  const below = at.bottom + 6 + why.offsetHeight < innerHeight;
  why.style.left = `${left}px`;
  why.style.top = `${below ? at.bottom + 6 : at.top - why.offsetHeight - 6}px`;
  mark.setAttribute("aria-describedby", "why");
}
const hush = () => (why.hidden = true);
for (const event of ["pointerover", "focusin"]) {
  list.addEventListener(event, ({ target }) => {
    const mark = target.closest?.("mark[data-why]");
    if (mark) explain(mark);
    else if (event === "pointerover") hush();
  });
}
list.addEventListener("focusout", hush);
addEventListener("scroll", hush, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hush());

// Tabs about the past are fetched when somebody looks.
list.addEventListener("doorward:tab", async ({ target }) => {
  const card = target.closest("article");
  if (target.dataset.past === undefined || card.dataset.past) return;
  card.dataset.past = "fetched";
  const parts = await fragment(`/queue/cards/${card.dataset.uid}/history`);
  if (parts.length === 0) return void delete card.dataset.past;
  const key = card.id.slice(2);
  for (const part of parts) document.getElementById(`${part.dataset.part}-${key}`)?.replaceChildren(...part.children);
  ages(card);
});

// What arrives waits until it is asked for: nothing moves under somebody's eyes.
const fresh = new Map();
/** So many are kept. What comes after that is in the queue as it is shown when somebody asks for it. */
const KEPT = 200;
const button = document.getElementById("new-items");
let unknown = new Set();
let looking;
function miss() {
  button.dataset.missed = "yes";
  fresh.clear();
  unknown.clear();
  clearTimeout(looking);
  looking = undefined;
  offer();
}
function offer() {
  button.hidden = fresh.size === 0 && !button.dataset.missed;
  const key = document.createElement("kbd");
  key.textContent = "n";
  button.replaceChildren(button.dataset.missed ? say("queue.missed") : count("queue.new", fresh.size), " ", key);
}
async function look() {
  looking = undefined;
  const uids = [...unknown].slice(0, 50);
  unknown = new Set([...unknown].slice(50));
  const parts = new URLSearchParams(location.search);
  parts.delete("cursor");
  for (const uid of uids) parts.append("uid", uid);
  for (const card of await fragment(`/queue/cards?${parts}`)) {
    if (button.dataset.missed) break;
    if (card.dataset.uid && !byUid(card.dataset.uid)) fresh.set(card.dataset.uid, card);
  }
  offer();
  refresh();
  if (unknown.size) looking ??= setTimeout(look, 1000);
}
button.addEventListener("click", () => {
  if (button.dataset.missed) return location.reload();
  const before = current();
  const cards = [...fresh.values()].filter((card) => !byUid(card.dataset.uid));
  fresh.clear();
  if (before && list.contains(before)) before.before(...cards);
  else list.prepend(...cards);
  offer();
  ages(list);
  settle();
  if (cards[0]) go(cards[0]);
});

const heard = (name, does) => document.addEventListener(`doorward:${name}`, ({ detail }) => does(detail));
heard("held", ({ uid }) => {
  const card = byUid(uid);
  if (card && !isOpen(card)) return void renew([uid]);
  if (card) return; // it is on the screen as it was: a decision about it will say that it changed
  if (button.dataset.missed) return;
  if (fresh.size + unknown.size >= KEPT) return miss();
  unknown.add(uid);
  looking ??= setTimeout(look, 700);
});
heard("left", ({ uid, status, decided_by, by }) => {
  unknown.delete(uid);
  if (fresh.delete(uid)) offer();
  refresh();
  const card = byUid(uid);
  if (!card) return;
  card.dataset.by = by ?? say("queue.policy");
  if (!isOpen(card)) return;
  const who = by === me ? undefined : (by ?? say(decided_by === "person" ? "queue.colleague" : "queue.policy"));
  const verdict = status === "approved" ? "queue.approved-by" : status === "rejected" ? "queue.rejected-by" : "queue.left";
  gone(card, who ? say(verdict, { by: who }) : say("queue.left"));
});
heard("erased", ({ uid }) => {
  unknown.delete(uid);
  if (fresh.delete(uid)) offer();
  const card = byUid(uid);
  if (card) gone(card, say("queue.erased"));
});
heard("claimed", ({ uid, by }) => claimed(uid, by));
heard("released", ({ uid }) => claimed(uid));
heard("reset", miss);

// Where you were, when you come back; else the first.
const at = sessionStorage.getItem("doorward.at");
const back = performance.getEntriesByType("navigation")[0]?.type !== "navigate" && at && byUid(at);
go(back || all().find(isOpen), Boolean(back));
refill();
