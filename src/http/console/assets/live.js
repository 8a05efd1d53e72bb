// The stream of events, as events of the document: `doorward:held`, `doorward:left`, `doorward:claimed` and so on, with the data in `detail`.
import { say } from "./say.js";

const NAMES = ["held", "left", "claimed", "released", "appeal", "reported", "erased", "campaign.recognised", "campaign.grew", "campaign.changed", "reset"];

function show(state) {
  const light = document.getElementById("live");
  if (!light) return;
  light.dataset.state = state;
  light.title = say(state === "on" ? "live-on" : "live-off");
  light.firstElementChild.textContent = light.title;
}

/** Listens for as long as the page is there. */
export function listen() {
  const source = new EventSource("/v1/events");
  source.addEventListener("hello", () => show("on"));
  source.addEventListener("error", () => show("off"));
  source.addEventListener("end", () => {
    source.close();
    show("off");
  });
  for (const name of NAMES) {
    source.addEventListener(name, (event) => {
      document.dispatchEvent(new CustomEvent(`doorward:${name}`, { detail: JSON.parse(event.data) }));
    });
  }
  addEventListener("pagehide", () => source.close());
}
