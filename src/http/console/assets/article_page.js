// An article's thread: the comment that somebody came for is shown and current.
import { choose } from "./cases.js";

const at = document.querySelector("[data-at]");
if (at) choose(at);
