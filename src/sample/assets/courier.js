// What the page does by itself: it hears from the site what has changed and fetches that part again. Without this script everything can be
// read and posted all the same.

const story = document.body.dataset.story;
const byId = (id) => document.getElementById(id);

async function part(address) {
  const answer = await fetch(address, { headers: { "x-script": "1" } });
  return answer.status === 200 ? answer.text() : "";
}

const parse = (html) => document.createRange().createContextualFragment(html);

/** Changes `old` for `html` without taking the focus, an opened form or what was typed from whoever uses it. */
function change(old, html) {
  const at = document.activeElement;
  const busy = at && old.contains(at) && at.closest("details[open]");
  if (busy) return; // somebody writes a report here: the next event brings it up to date
  const focus = at && old.contains(at) ? at.id : "";
  const open = [...old.querySelectorAll("details[open]")].map((details) => details.id);
  const fresh = parse(html).firstElementChild;
  if (!fresh) return old.remove();
  old.replaceWith(fresh);
  for (const id of open) byId(id)?.setAttribute("open", "");
  if (focus) byId(focus)?.focus();
}

async function thread(root) {
  const list = document.querySelector("#list .threads");
  if (!list) return;
  const html = await part(`/articles/${story}/threads/${encodeURIComponent(root)}`);
  const old = byId(`t-${root}`);
  if (old) return change(old, html);
  if (!html) return;
  document.querySelector("#list .empty")?.remove();
  const fresh = parse(html).firstElementChild;
  fresh.classList.add("is-new");
  list.prepend(fresh);
}

async function everything() {
  if (!story) return;
  const html = await part(`/articles/${story}/comments${location.search.includes("all=") ? "?all=1" : ""}`);
  if (html && !byId("list").querySelector("details[open]")) byId("list").replaceChildren(parse(html));
}

/** Runs `work` now, or once more when it is done: a replay says more than can be fetched. */
function once(work) {
  let running = false;
  let again = false;
  return async () => {
    if (running) return void (again = true);
    running = true;
    do {
      again = false;
      await work().catch(() => {});
    } while (again);
    running = false;
  };
}

const threads = new Map();
const said = once(async () => byId("said").replaceChildren(parse(await part("/said"))));
const notices = once(async () => byId("notices").replaceChildren(parse(await part("/notices"))));

const events = new EventSource(`/events?story=${encodeURIComponent(story)}`);
const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
on("hello", () => {
  everything();
  said();
  notices();
});
on("comment", ({ story: of, root, count }) => {
  for (const shown of document.querySelectorAll("[data-count]")) if (shown.dataset.count === of) shown.textContent = count;
  if (of !== story) return;
  if (!threads.has(root)) threads.set(root, once(() => thread(root)));
  threads.get(root)();
});
on("said", said);
on("notice", notices);
on("replay", ({ id, done, of, runs }) => {
  const form = document.querySelector(`[data-replay="${CSS.escape(id)}"]`);
  form.querySelector("button").disabled = runs;
  form.querySelector(".progress").textContent = `${done} of ${of} posted`;
});
addEventListener("pagehide", () => events.close());

// Votes and replays need no new page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches(".vote, .replay, .notices form")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (form.matches(".replay")) button.disabled = true;
  const body = new URLSearchParams(new FormData(form, event.submitter));
  fetch(form.action, { method: "POST", headers: { "x-script": "1" }, body }).catch(() => (button.disabled = false));
});

// The form, beside what it is about.
const write = byId("write");
if (write) {
  const field = (name) => write.elements.namedItem(name);
  const context = write.querySelector("[data-context]");
  const about = (nodes, parent, paragraph) => {
    field("parent_id").value = parent;
    field("paragraph").value = paragraph;
    const away = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "Cancel" });
    away.addEventListener("click", () => {
      about([], "", "");
      context.replaceChildren();
      field("body").focus();
    });
    context.replaceChildren(...nodes, away);
    write.scrollIntoView({ block: "center" });
    field("body").focus({ preventScroll: true });
  };
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-reply], [data-paragraph]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { reply, name, paragraph } = link.dataset;
    if (reply) return about([element("p", `In answer to ${name}.`)], reply, "");
    about([element("blockquote", link.parentElement.querySelector("p").textContent)], "", paragraph);
  });
}
