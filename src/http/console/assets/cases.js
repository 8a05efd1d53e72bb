// What the pages of campaigns, sanctions and appeals share: parts of a page renewed, news announced, one thing current, more of a list.
import { call, fragment, problem } from "./api.js";
import { ages } from "./console.js";
import { on } from "./keys.js";
import { count, say } from "./say.js";
import { toast } from "./toast.js";

const here = () => location.pathname + location.search;
let quiet = 0;

/** Puts the list of this page as it is now in the place of the one that is shown. */
export async function renew() {
  const main = (await fragment(here())).find((part) => part.id === "main");
  const fresh = main?.querySelector("#list");
  if (!fresh) return null;
  document.getElementById("list").replaceWith(fresh);
  ages(fresh);
  document.dispatchEvent(new CustomEvent("doorward:renewed"));
  return fresh;
}

/** Calls, and says what went wrong, but for the statuses `told` that the caller speaks about; what one does oneself is no news. */
export async function ask(method, path, body, told = []) {
  quiet = Date.now() + 4000;
  const answer = await call(method, path, body);
  if (!answer.ok && !told.includes(answer.status)) toast(problem(answer));
  return answer;
}

/** Takes a decision back, and shows the list again. */
export async function undo(decision) {
  const answer = await ask("POST", `/v1/decisions/${decision}/undo`, {});
  if (answer.ok) toast(say("cases.undone"));
  await renew();
}

/** Counts things that events name, and offers to show them. */
export function news(names, id) {
  const button = document.querySelector("[data-news]");
  const seen = new Set();
  for (const name of names) {
    document.addEventListener(`doorward:${name}`, ({ detail }) => {
      const key = id(detail);
      if (!key || Date.now() < quiet) return;
      seen.add(key);
      button.firstElementChild.textContent = count("cases.news", seen.size);
      button.hidden = false;
    });
  }
  button.addEventListener("click", async () => {
    seen.clear();
    button.hidden = true;
    const list = await renew();
    (list?.querySelector("[data-item], h1") ?? document.getElementById("main")).focus();
  });
}

/** Makes an item the one that keys are for, with the focus in it. */
export function choose(item) {
  mark(item);
  if (!item.contains(document.activeElement)) item.focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
}

function mark(item) {
  for (const other of document.querySelectorAll("[data-item].is-current")) other.classList.remove("is-current");
  item?.classList.add("is-current");
}

/** Keys are for what can be seen to be current: the first, until somebody moves. */
function first() {
  if (!document.querySelector("[data-item].is-current")) mark(document.querySelector("[data-item]"));
}
document.addEventListener("doorward:renewed", first);
first();

function step(by) {
  const items = [...document.querySelectorAll("[data-item]")];
  const at = items.findIndex((item) => item.classList.contains("is-current"));
  choose(items[at < 0 ? 0 : Math.min(Math.max(at + by, 0), items.length - 1)]);
}

/** Takes an item out of the list, and goes on to the next. */
export function leave(item) {
  const next = item.nextElementSibling?.matches("[data-item]") ? item.nextElementSibling : item.previousElementSibling;
  item.remove();
  if (next?.matches("[data-item]")) choose(next);
  else renew();
}

if (document.querySelector("[data-item]") || document.querySelector("[data-items]")) {
  on("j", say("cases.next"), () => step(1));
  on("k", say("cases.previous"), () => step(-1));
}
document.addEventListener("focusin", ({ target }) => {
  const item = target.closest?.("[data-item]");
  if (item) mark(item);
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-more]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const path = link.getAttribute("href");
  const main = (await fragment(path)).find((part) => part.id === "main");
  const list = document.querySelector("[data-items]") ?? document.getElementById("list");
  const more = main?.querySelector("[data-items]") ?? main?.querySelector("#list");
  if (!more) return void location.assign(path);
  const place = link.closest("p");
  const fresh = [...more.children].filter((child) => !child.querySelector("[data-more]"));
  if (place.parentElement === list) place.before(...fresh);
  else list.append(...fresh);
  const next = main.querySelector("a[data-more]");
  if (next) link.href = next.getAttribute("href");
  else place.remove();
  for (const item of fresh) ages(item);
  document.dispatchEvent(new CustomEvent("doorward:renewed"));
  (fresh[0]?.querySelector("a, button, input") ?? fresh[0])?.focus();
});
