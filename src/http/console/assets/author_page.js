// An author's page: notes of colleagues, and erasing.
import { call, problem } from "./api.js";
import { ask, renew } from "./cases.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

const part = () => document.getElementById("list");
const path = (rest = "") => `/v1/authors/${encodeURIComponent(part().dataset.author)}${rest}?site=${encodeURIComponent(part().dataset.site)}`;

async function add(text) {
  const { ok } = await ask("POST", path("/notes"), { text });
  if (ok) (await renew())?.querySelector("[data-note] textarea")?.focus();
  return ok;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.matches("[data-note]")) {
    event.preventDefault();
    const text = form.elements.text.value.trim();
    if (text) await add(text);
  }
  if (form.matches("[data-erase]")) {
    event.preventDefault();
    const wrong = form.querySelector('[role="alert"]');
    const tell = (text) => {
      wrong.hidden = false;
      wrong.textContent = text;
    };
    if (form.elements.id.value !== part().dataset.author) return tell(say("author.not-the-id"));
    const answer = await call("DELETE", path());
    if (!answer.ok) return tell(problem(answer));
    location.assign("/queue");
  }
});

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-remove]");
  if (target.closest("[data-cancel]")) target.closest("dialog").close();
  if (!button) return;
  const text = button.closest("li").querySelector("[data-text]").textContent;
  if (!(await ask("DELETE", path(`/notes/${button.dataset.remove}`))).ok) return;
  toast(say("author.note-removed"), () => add(text));
  (await renew())?.querySelector("[data-note] textarea")?.focus();
});
