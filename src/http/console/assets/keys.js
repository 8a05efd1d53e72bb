// Keys: every element with `data-key` is pressed by that key. The key is written on it, so that nobody has to learn them.
// What lies inside `.is-current` comes first, and inside `data-keys="current"` nothing else is pressed. Nothing happens with a modifier (but
// shift), in a field, or while a dialog is open; a key held down presses once.
import { make } from "./html.js";

const runs = new Map();

/** Runs `action` at that key, where no element has it. `help` is the line in the list of keys. */
export function on(key, help, action) {
  runs.set(key, { help, action });
}

const inField = (target) => target.closest?.('input:not([type="checkbox"]):not([type="radio"]), textarea, select, [contenteditable]');
const shown = (element) => !element.disabled && element.getClientRects().length > 0;
const another = (element) => element.closest('[data-keys="current"]') && !element.closest(".is-current");
const bound = (key, root) => [...root.querySelectorAll("[data-key]")].find((element) => element.dataset.key.split(" ").includes(key) && shown(element) && !another(element));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  const open = document.querySelector("dialog[open]");
  if (open || inField(event.target)) return;
  // Shift makes a key another one; caps lock does not, or whoever left it on would decide about many.
  const letter = event.key.length === 1 && /\p{L}/u.test(event.key);
  const key = !letter ? event.key : event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase();
  const current = document.querySelector(".is-current");
  const element = (current && bound(key, current)) ?? bound(key, document);
  if (element) {
    event.preventDefault();
    if (event.repeat) return;
    if (element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select")) element.focus();
    else element.click();
    return;
  }
  const run = runs.get(key);
  if (run) {
    event.preventDefault();
    run.action(event);
  }
});

/** Fills the list of keys with what this page has. */
export function list(into) {
  const lines = new Map();
  for (const element of document.querySelectorAll("[data-key]")) {
    const help = element.dataset.help || element.getAttribute("aria-label") || [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent).join("").trim();
    for (const key of element.dataset.key.split(" ")) if (help && !lines.has(key)) lines.set(key, help);
  }
  for (const [key, { help }] of runs) if (help) lines.set(key, help);
  into.replaceChildren();
  for (const [key, help] of [...lines].sort(([a], [b]) => a.localeCompare(b))) {
    const name = /^\p{Lu}$/u.test(key) ? `shift+${key.toLowerCase()}` : key;
    into.append(make("div", {}, make("dt", {}, make("kbd", {}, name)), make("dd", {}, help)));
  }
}
