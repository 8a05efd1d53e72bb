// Backtests: started, watched, ended, handed on.
import { call, fragment, problem } from "./api.js";
import { ages } from "./console.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

const lang = document.documentElement.lang;
const form = document.querySelector("[data-backtest]");

/** Puts the caret where a text is wrong, lines and columns counted from 1. */
function point(field, line, column) {
  const lines = field.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  // Columns are characters, and positions in a field are UTF-16.
  const before = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  field.focus();
  field.setSelectionRange(start + before, start + (lines[line - 1] ?? "").length);
  const height = field.scrollHeight / lines.length;
  field.scrollTop = Math.max(0, (line - 4) * height);
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const candidate = form.elements.candidate;
  const files = Object.fromEntries([...form.querySelectorAll("[data-file]")].map((field) => [field.dataset.file, field.value]));
  const wrong = form.querySelector("[data-problem]");
  const button = form.querySelector("button.main");
  button.disabled = true;
  const body = { candidate: candidate.value, files, since: form.elements.since.value, site: form.elements.site.value };
  const answer = await call("POST", "/v1/backtests", body);
  if (answer.ok) return void location.assign(`/backtests/${answer.data.id}`);
  button.disabled = false;
  wrong.hidden = false;
  const { line, column } = answer.data;
  wrong.textContent = line ? say("backtests.at", { line, column, problem: problem(answer) }) : problem(answer);
  if (line) point(candidate, line, column);
});

/** Looks how far it is until it is over, then shows what it found. */
async function watch(run) {
  const began = Date.now();
  let first;
  for (;;) {
    const { ok, status, data } = await call("GET", `/v1/backtests/${run.dataset.running}`);
    if (!ok && status !== 0 && status < 500) return void toast(problem({ data }));
    if (ok && data.state !== "running") break;
    if (ok && data.total > 0) {
      first ??= { done: data.done, at: Date.now() };
      const bar = run.querySelector("progress");
      bar.max = data.total;
      bar.value = data.done;
      const rate = (data.done - first.done) / (Date.now() - first.at);
      const seconds = rate > 0 ? Math.ceil((data.total - data.done) / rate / 1000) : null;
      const numbers = { done: data.done.toLocaleString(lang), total: data.total.toLocaleString(lang) };
      const far = run.querySelector("[data-far]");
      far.textContent = seconds === null ? say("backtests.far", numbers) : say("backtests.left", { ...numbers, seconds: seconds.toLocaleString(lang) });
    }
    await new Promise((done) => setTimeout(done, Date.now() - began < 5000 ? 300 : 1000));
  }
  const main = (await fragment(location.pathname + location.search)).find((part) => part.id === "main");
  const fresh = main?.querySelector("#run");
  if (!fresh) return void location.reload();
  run.replaceWith(fresh);
  ages(fresh);
  fresh.querySelector("h1").focus();
}

const run = document.querySelector("[data-running]");
if (run) watch(run);

document.addEventListener("click", async ({ target }) => {
  const end = target.closest("[data-end]");
  if (end) {
    end.disabled = true;
    const answer = await call("DELETE", `/v1/backtests/${end.dataset.end}`);
    if (!answer.ok) toast(problem(answer));
  }
  const copy = target.closest("[data-copy]");
  if (copy) {
    const link = copy.dataset.copy || location.origin + location.pathname;
    // Browsers lend the clipboard to pages that came by https, or from the machine itself.
    const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false);
    toast(copied ? say("backtests.copied") : link);
  }
});
