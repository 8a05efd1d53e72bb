// Counts of the filters, as they are after what you and others did.
import { fragment } from "./api.js";

let timer;

/** Counts anew, soon: once for whatever happens within two seconds. */
export function refresh() {
  timer ??= setTimeout(async () => {
    timer = undefined;
    const [fresh] = await fragment(location.pathname + location.search);
    const old = document.getElementById("filters");
    // Nothing is taken away from under somebody's finger.
    if (!fresh || old.contains(document.activeElement) || old.matches(":hover")) return;
    const open = [...old.querySelectorAll("details")].map((details) => details.open);
    fresh.querySelectorAll("details").forEach((details, at) => (details.open = open[at] ?? false));
    old.replaceWith(fresh);
  }, 2000);
}
