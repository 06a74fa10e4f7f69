// What the pages share: making elements, words for people. No library, no build step.
"use strict";

const $ = (id) => document.getElementById(id);

/** An element with text and children; text is never read as HTML. */
function el(tag, { text, children = [], ...attributes } = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  if (text !== undefined && text !== null) element.textContent = text;
  element.append(...children.filter(Boolean));
  return element;
}

const words = (name) => String(name).replaceAll("_", " ");
const clock = (seconds) => {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};
const money = (amount, currency = "EUR") => {
  if (typeof amount !== "number") return "";
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency, maximumFractionDigits: amount % 1 ? 2 : 0 }).format(amount);
  } catch {
    return `${amount} ${currency}`;
  }
};

const part = (title, content) => content && el("section", { children: [el("h3", { text: title }), content] });

function definitions(values) {
  const entries = Object.entries(values);
  return entries.length ? el("dl", { children: entries.flatMap(([key, value]) => [el("dt", { text: words(key) }), el("dd", { text: value })]) }) : null;
}

/** How the connection is, at the top right. */
function say(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

/** The token: from the address once (it has no place there), then of this tab. */
function tokenOfTab() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    history.replaceState(null, "", location.pathname);
    sessionStorage.setItem("token", given);
  }
  return sessionStorage.getItem("token");
}

/** A request with the token; throws what the server's problem document says. */
async function ask(path, token) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || problem.title || `${path}: ${answer.status}`), { status: answer.status });
  }
  return answer;
}
