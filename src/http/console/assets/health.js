// Dead letters sent again. Harmless when it was done already: sites know messages by their id.
import { call, fragment, problem } from "./api.js";
import { ages } from "./console.js";
import { count } from "./say.js";
import { toast } from "./toast.js";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-resend]");
  if (!button) return;
  button.disabled = true;
  const which = button.dataset.resend;
  const answer = await call("POST", "/v1/outbox/resend", which === "all" ? { all: true } : { ids: [which] });
  button.disabled = false;
  if (!answer.ok) return void toast(problem(answer));
  toast(count("health.resent", answer.data.resent));
  const main = (await fragment(location.pathname + location.search)).find((part) => part.id === "main");
  const fresh = main?.querySelector("#outbox");
  if (!fresh) return;
  document.getElementById("outbox").replaceWith(fresh);
  ages(fresh);
  document.getElementById("letters").focus();
});
