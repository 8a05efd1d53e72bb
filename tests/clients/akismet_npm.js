// The whole interface of npm's `akismet-api` and `@cedx/akismet`, unmodified: their own options lead them elsewhere.
// usage: akismet_npm.js akismet-api|cedx HOST:PORT KEY BLOG TEXTS (JSON); prints what every call returned, as JSON.
import { AkismetClient } from "akismet-api";
import { Author, Blog, CheckResult, Client, Comment } from "@cedx/akismet";

const [which, host, key, blog, given] = process.argv.slice(2);
const texts = JSON.parse(given);
const results = {};
const call = async (name, made) => {
  try { results[name] = await made(); } catch (error) { results[name] = `error: ${error.message}`; }
};

// It puts the key before the host of its requests; what stands before `@` is then the name of a user, who needs no DNS.
async function akismetApi() {
  const client = (key) => new AkismetClient({ key, blog, host: `x@${host}`, protocol: "http", lang: "en", charset: "UTF-8" });
  const about = (content, more) => ({
    ip: "203.0.113.9", useragent: "Mozilla/5.0", referer: "https://search.example/", name: "Anna Sample", email: "anna@example.test", type: "comment",
    permalink: `${blog}trams`, date: new Date("2026-11-22T13:00:00Z").toISOString(), content, ...more,
  });
  const right = client(key);
  await call("key is right", () => right.verifyKey());
  await call("key is wrong", () => client("wrong0wrong0").verifyKey());
  for (const name of ["ham", "spam", "held", "later spam"]) await call(name, () => right.checkSpam(about(texts[name])));
  await call("guaranteed", () => right.checkSpam(about(texts.guaranteed, { name: "akismet-guaranteed-spam" })));
  await call("test", () => right.checkSpam(about(texts.test, { isTest: true })));
  await call("again", () => right.checkSpam(about(texts.held)));
  await call("trap", () => right.checkSpam(about(texts.trap, { honeypot: "filled in by a program" })));
  await call("submit spam", async () => { await right.submitSpam(about(texts["later spam"])); return "done"; });
  await call("submit ham", async () => { await right.submitHam(about(texts.spam)); return "done"; });
}

async function cedx() {
  const names = new Map(Object.entries(CheckResult).map(([name, value]) => [value, name]));
  const client = (key, more) => new Client(key, new Blog({ url: blog, charset: "UTF-8", languages: ["en"] }), { baseUrl: `http://${host}`, ...more });
  const about = (content, author) => new Comment({
    author: new Author({ ipAddress: "203.0.113.9", userAgent: "Mozilla/5.0", name: "Anna Sample", email: "anna@example.test", ...author }), content,
    context: ["trams", "timetable"], date: new Date("2026-11-22T13:00:00Z"), permalink: `${blog}trams`, referrer: "https://search.example/", type: "comment",
  });
  const right = client(key);
  const checked = async (comment, by = right) => names.get(await by.checkComment(comment));
  await call("key is right", () => right.verifyKey());
  await call("key is wrong", () => client("wrong0wrong0").verifyKey());
  for (const name of ["ham", "spam", "held", "later spam"]) await call(name, () => checked(about(texts[name])));
  await call("guaranteed", () => checked(about(texts.guaranteed, { name: "akismet-guaranteed-spam" })));
  await call("test", () => checked(about(texts.test), client(key, { isTest: true })));
  await call("again", () => checked(about(texts.held)));
  await call("submit spam", async () => { await right.submitSpam(about(texts["later spam"])); return "done"; });
  await call("submit ham", async () => { await right.submitHam(about(texts.spam)); return "done"; });
}

await (which === "cedx" ? cedx() : akismetApi());
console.log(JSON.stringify(results));
