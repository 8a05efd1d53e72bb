// Clients of Perspective on npm, unmodified: Google's own as its documentation shows it, but for one address, and two that know Perspective alone.
// usage: perspective_npm.js google|conversationai|perspective-api-client URL KEYS TEXTS (both JSON); prints what every call returned, as JSON.
import { createRequire } from "node:module";

const [which, url, ...given] = process.argv.slice(2);
const [keys, texts] = given.map((text) => JSON.parse(text));
const require = createRequire(import.meta.url);

// `google.discoverAPI` of npm's `googleapis` is this, with some hundred services of Google beside it.
async function google() {
  const { Discovery } = require("googleapis-common");
  const make = await new Discovery({}).discoverAPI(`${url}/$discovery/rest?version=v1alpha1`);
  const client = make({});
  const analyze = async (text, attributes, key = keys.post, more = {}) => {
    const resource = { comment: { text }, requestedAttributes: Object.fromEntries(attributes.map((name) => [name, {}])), ...more };
    return (await client.comments.analyze({ key, resource })).data;
  };
  const suggest = async (key) => (await client.comments.suggestscore({
    auth: key,
    requestBody: { comment: { text: texts.known }, attributeScores: { SPAM: { summaryScore: { value: 0.9 } } }, clientToken: texts.id },
  })).data;
  const refused = async (call) => {
    try { return await call(); } catch (error) { return [error.status, error.message]; }
  };
  return {
    ham: await analyze(texts.ham, ["SPAM", "TOXICITY"]),
    spam: await analyze(texts.spam, ["SPAM", "TOXICITY"], keys.post, { spanAnnotations: true }),
    abuse: await analyze(texts.abuse, ["SPAM", "TOXICITY"], keys.post, { languages: ["en"], doNotStore: true, clientToken: "mine" }),
    "off topic": await analyze(texts.spam, ["OFF_TOPIC"], keys.post, { context: { entries: [{ text: texts.article }] } }),
    "unknown attribute": await refused(() => analyze(texts.ham, ["INSULT"])),
    "wrong key": await refused(() => analyze(texts.ham, ["SPAM"], "dw_site_wrong")),
    "suggest without the scope": await refused(() => suggest(keys.post)),
    suggest: await suggest(keys.feedback),
  };
}

async function conversationai() {
  const { Client } = require("@conversationai/perspectiveapi-js-client");
  const client = new Client(keys.post);
  client.perspectiveApiUrl = `${url}/v1alpha1/comments:analyze?key=${keys.post}`;
  const scores = {};
  for (const name of ["ham", "spam", "abuse"]) scores[name] = await client.getScores(texts[name]);
  return { scores };
}

// It has its address as a constant: the requests of its axios are led elsewhere.
async function perspectiveApiClient() {
  const Perspective = require("perspective-api-client");
  const axios = createRequire(require.resolve("perspective-api-client"))("axios");
  axios.interceptors.request.use((asked) => ({ ...asked, url: asked.url.replace("https://commentanalyzer.googleapis.com", url) }));
  const client = new Perspective({ apiKey: keys.post });
  const scores = {};
  for (const name of ["ham", "spam", "abuse"]) {
    const told = await client.analyze(texts[name], { attributes: ["spam", "toxicity"] });
    scores[name] = Object.fromEntries(Object.entries(told.attributeScores).map(([attribute, said]) => [attribute, said.summaryScore.value]));
  }
  const wrong = await new Perspective({ apiKey: "dw_site_wrong" }).analyze(texts.ham).catch((error) => error.response.status);
  return { scores, "wrong key": wrong };
}

const clients = { google, conversationai, "perspective-api-client": perspectiveApiClient };
console.log(JSON.stringify(await clients[which]()));
