// What scripts say, in the page's language: the same catalogue as the pages'.
const lang = document.documentElement.lang;
const texts = (await import(`./texts-${lang}.js`)).default;

/** The text under `key`, with `{name}` replaced by `values.name`. */
export function say(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (hole, name) => (name in values ? String(values[name]) : hole));
}

/** The text for that many: `key.one` or `key.many`. */
export function count(key, n, values = {}) {
  return say(`${key}.${n === 1 ? "one" : "many"}`, { n: n.toLocaleString(lang), ...values });
}
