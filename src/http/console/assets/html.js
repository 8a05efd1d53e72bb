// The one place where markup becomes part of a page. It comes from our own server, where every value in it was escaped.
const policy = window.trustedTypes?.createPolicy("doorward", { createHTML: (text) => text });

/** Elements from markup that this server rendered. */
export function elements(markup) {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(markup) : markup;
  return [...template.content.children];
}

/** An element with attributes and children; texts stay texts. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}
