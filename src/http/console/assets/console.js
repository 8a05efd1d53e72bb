// What every page does: keys, the list of them, the menu on small screens, times that say how long ago, the stream of events.
import { list } from "./keys.js";
import { listen } from "./live.js";
import { say } from "./say.js";
import "./toast.js";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.open);
    if (dialog.id === "help") list(dialog.querySelector("[data-keys-list]"));
    dialog.showModal();
  }
  const tab = event.target.closest('[role="tab"]');
  if (tab) choose(tab);
});

const menu = document.querySelector("button.menu");
menu?.addEventListener("click", () => {
  menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
});

/** Shows a tab's panel, and none of the others'. */
export function choose(tab) {
  const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const panel = document.getElementById(other.getAttribute("aria-controls"));
    if (panel) panel.hidden = !chosen;
  }
  tab.dispatchEvent(new CustomEvent("doorward:tab", { bubbles: true }));
}

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.('[role="tab"]');
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!tab || !step) return;
  const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
  next.focus();
  choose(next);
});

const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always", style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** Writes how long ago into every `time[data-ago]` below `root`; the whole moment stays in its title. */
export function ages(root = document) {
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const seconds = Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000);
    const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
    time.textContent = format.format(-Math.floor(seconds / size), unit);
    time.title = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
  }
}

/** What scrolls sideways must be reached by keyboard, and what does not is no stop on the way. */
function scrollable() {
  for (const part of document.querySelectorAll(".scroll")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}

scrollable();
addEventListener("resize", scrollable);
ages();
setInterval(ages, 30_000);
if (document.getElementById("live")) listen();
document.documentElement.dataset.ready = say("ready") && "yes";
