// Several at once: exactly those that are selected, in the version on the screen.
import { all, choose, go, isOpen, list } from "./cards.js";
import { decide } from "./decide.js";
import { on } from "./keys.js";
import { count, say } from "./say.js";
import { toast } from "./toast.js";

const bar = document.getElementById("bulk");
const boxOf = (card) => card.querySelector('[data-action="select"]');
export const selected = () => all().filter((card) => isOpen(card) && boxOf(card)?.checked);

function show() {
  const n = selected().length;
  bar.hidden = n === 0;
  bar.querySelector("[data-count]").textContent = count("queue.selected", n);
}

let last;

if (bar) {
  document.addEventListener("doorward:selection", show);
  list.addEventListener("click", (event) => {
    if (!event.target.matches('[data-action="select"]')) return;
    const card = event.target.closest("article");
    // With shift, everything between this one and the last.
    if (event.shiftKey && last?.isConnected) {
      const cards = all();
      const [from, to] = [cards.indexOf(last), cards.indexOf(card)].sort((a, b) => a - b);
      for (const other of cards.slice(from, to + 1)) if (isOpen(other)) choose(other, event.target.checked);
    }
    last = card;
    show();
  });
  document.querySelector('[data-action="all"]').addEventListener("click", () => {
    const open = all().filter(isOpen);
    const every = open.every((card) => boxOf(card).checked);
    for (const card of open) choose(card, !every);
  });
  bar.addEventListener("click", (event) => {
    const what = event.target.closest("[data-bulk]")?.dataset.bulk;
    if (what === "none") for (const card of selected()) choose(card, false);
    else if (what) {
      const lost = all().filter((card) => card.dataset.lost);
      for (const card of lost) delete card.dataset.lost;
      decide(selected(), what, lost.length);
    }
    const card = list.querySelector("article.is-current");
    if (what === "none" && card) go(card);
  });
  for (const key of ["A", "S", "D"]) on(key, "", () => toast(say("queue.select-first")));
}
