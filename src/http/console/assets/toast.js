// Words at the edge, for ten seconds: what was done, and the way back.
import { make } from "./html.js";
import { say } from "./say.js";
import { on } from "./keys.js";

const SECONDS = 10;
const stack = [];

/** Says `text`; with `undo`, offers the way back, also under `z`, latest first. */
export function toast(text, undo) {
  const region = document.getElementById("toasts");
  const item = { undo };
  const close = () => {
    clearTimeout(item.timer);
    item.element.remove();
    const at = stack.indexOf(item);
    if (at >= 0) stack.splice(at, 1);
  };
  item.back = async () => {
    close();
    await undo();
  };
  item.element = make("div", { class: "toast" }, make("span", {}, text));
  if (undo) {
    item.element.append(make("button", { type: "button", click: item.back }, say("undo"), " ", make("kbd", {}, "z")));
    stack.push(item);
  }
  item.element.append(make("button", { type: "button", class: "quiet", "aria-label": say("dismiss"), click: close }, "×"));
  const wait = () => (item.timer = setTimeout(close, SECONDS * 1000));
  item.element.addEventListener("pointerenter", () => clearTimeout(item.timer));
  item.element.addEventListener("pointerleave", wait);
  item.element.addEventListener("focusin", () => clearTimeout(item.timer));
  region.append(item.element);
  while (region.children.length > 4) region.firstElementChild.remove();
  wait();
  return close;
}

on("z", say("undo-last"), () => stack.at(-1)?.back());
