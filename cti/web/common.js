// What the pages share: elements, words for people, requests, the websocket. No library, no build step.
"use strict";

const LATER_MS = [500, 1000, 2000, 5000, 10000];
const REFRESH_MS = 500;
const SIGN_IN = "Sign in as a supervisor on the front page first.";

const $ = (id) => document.getElementById(id);

/** An element with text and children; text is never read as HTML. `on...` is what it does. */
function el(tag, { text, children = [], ...attributes } = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  if (text !== undefined && text !== null) element.textContent = text;
  element.append(...children.filter(Boolean));
  return element;
}

// --- words -----------------------------------------------------------------------------------------------------------

const STATE_NAMES = {
  LOGGED_OUT: "Logged out", NOT_READY: "Not ready", READY: "Ready", RESERVED: "Ringing", BUSY: "On a call", WRAP_UP: "Wrap-up",
};
const REASONS = ["break", "lunch", "mail", "training", "meeting"]; // of sites that have no list of their own

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
const share = (value) => (typeof value === "number" ? `${Math.round(value * 100)} %` : "–");
const time = (seconds) => (typeof seconds === "number" ? clock(seconds) : "–");

/** A moment: the time, and the day unless it is today. */
function moment(at) {
  const when = new Date(at * 1000);
  const hour = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return when.toDateString() === new Date().toDateString() ? hour : `${when.toLocaleDateString([], { day: "numeric", month: "short" })} ${hour}`;
}

/** A moment as an <input type="datetime-local"> has it, and back. */
const typed = (at) => new Date((at - new Date(at * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 16);
const fromTyped = (text) => Math.floor(new Date(text).getTime() / 1000);

const reasonText = (reason) => (reason === "unregistered" ? "phone not registered" : reason ? words(reason) : "");
const part = (title, content) => content && el("section", { children: [el("h3", { text: title }), content] });
const number = (value) => el("td", { text: value ?? "", class: "n" });
const since = (at) => el("span", { class: "clock", "data-since": at ?? "", text: at ? clock(serverNow() - at) : "" });

function definitions(values) {
  const entries = Object.entries(values);
  return entries.length ? el("dl", { children: entries.flatMap(([key, value]) => [el("dt", { text: words(key) }), el("dd", { text: value })]) }) : null;
}

function rows(list, columns, none, cells) {
  if (!list.length) return [el("tr", { children: [el("td", { text: none, colspan: columns, class: "none" })] })];
  return list.map((one) => el("tr", { children: cells(one) }));
}

/** Why not ready: the site's reasons, or some. */
function pauseMenu(reasons, chosen) {
  const menu = el("select", { "aria-label": "Not ready", "data-command": "not_ready", children: [
    el("option", { text: "Not ready …", value: "" }), ...(reasons && reasons.length ? reasons : REASONS).map((r) => el("option", { text: r, value: r })),
  ] });
  menu.onchange = () => menu.value && chosen(menu.value);
  return menu;
}

/** Whether an element shows something else by now: one that does not stays as it is, under the user's finger. */
function changed(element, what) {
  const shows = JSON.stringify(what ?? null);
  const other = element.dataset.shows !== shows;
  element.dataset.shows = shows;
  return other;
}

/** A list whose elements stay while their ones do: `make(one)` an element, `show(element, one)` what it shows now. */
function keyed(list, ones, key, make, show) {
  const there = new Map([...list.children].map((element) => [element.dataset.key, element]));
  const wanted = ones.map((one) => {
    const element = there.get(String(key(one))) ?? make(one);
    element.dataset.key = key(one);
    show(element, one);
    return element;
  });
  if (wanted.length !== list.children.length || wanted.some((element, at) => list.children[at] !== element)) list.replaceChildren(...wanted);
}

/** A button that does what can't be undone: only the second click does. */
function dangerous(text, act) {
  const button = el("button", { text, type: "button", class: "quiet danger" });
  const calm = () => {
    button.textContent = text;
    delete button.dataset.sure;
  };
  button.onblur = calm;
  button.onclick = () => {
    if (button.dataset.sure) {
      calm();
      act();
    } else {
      button.dataset.sure = "yes";
      button.textContent = `Really ${text.toLowerCase()}?`;
    }
  };
  return button;
}

/** What a command led to, said where it was given; errors in red. */
function notice(text, bad = false, element = $("notice")) {
  element.textContent = text;
  element.toggleAttribute("data-bad", bad);
}

// --- requests --------------------------------------------------------------------------------------------------------

/** The token: from the address once (it has no place there), then of this tab. */
function tokenOfTab() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    history.replaceState(null, "", location.pathname);
    sessionStorage.setItem("token", given);
  }
  return sessionStorage.getItem("token");
}

/** What a problem document says, for people. */
const problemText = (problem) => (problem.errors ? problem.errors.map((e) => e.message).join("; ") : problem.detail || problem.title);

/** A request with the token; throws what the server's problem document says, with the status. */
async function ask(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${link.token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("the server can't be reached: try again in a moment");
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problemText(problem) || `the server refused it (${answer.status})`), { status: answer.status });
  }
  return answer;
}

const get = async (path) => (await ask(path)).json();
const of = (...names) => names.map(encodeURIComponent).join("/");

// --- the websocket ---------------------------------------------------------------------------------------------------

const link = {
  socket: null, token: "", who: null, epoch: null, sequence: null, tries: 0, timer: 0, ahead: 0, command: 0,
  topics: "", receive: null, refused: null,
};
const serverNow = () => Date.now() / 1000 + link.ahead;

/** How the connection is, at the top right. */
function say(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

/** Listen to the server, and come back when the connection is lost. `receive` gets each message, `refused` why not. */
function listen(token, { topics = "", receive, refused }) {
  clearTimeout(link.timer);
  Object.assign(link, { token, topics, receive, refused, who: null, epoch: null, sequence: null, tries: 0 });
  say("off", "connecting");
  connect();
}

function connect() {
  clearTimeout(link.timer);
  const query = new URLSearchParams();
  if (link.topics) query.set("topics", link.topics);
  if (link.sequence !== null) {
    query.set("since", link.sequence);
    query.set("epoch", link.epoch);
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/v1/events?${query}`);
  link.socket = socket;
  socket.onopen = () => socket.send(JSON.stringify({ token: link.token }));
  socket.onmessage = (message) => hear(JSON.parse(message.data));
  socket.onclose = (event) => {
    if (link.socket !== socket) return;
    if ([4401, 4403, 4404].includes(event.code)) {
      const { refused } = link;
      hangUp();
      refused(event.reason || "this token is not accepted");
      return;
    }
    say("lost", "connection lost, trying again");
    link.timer = setTimeout(connect, LATER_MS[Math.min(link.tries++, LATER_MS.length - 1)]);
  };
}

function hear(message) {
  if (message.sequence !== undefined && message.type !== "hello") link.sequence = message.sequence;
  if (message.type === "hello") {
    Object.assign(link, { who: message, epoch: message.epoch, tries: 0, ahead: message.at - Date.now() / 1000 });
    link.sequence ??= message.sequence;
    say("on", "live");
    $("who").textContent = `${message.name}, ${message.role}`;
    $("pages").hidden = message.role !== "supervisor";
  }
  if (message.type !== "error") link.receive(message); // of an error, the close that follows tells
}

function hangUp() {
  clearTimeout(link.timer);
  const socket = link.socket;
  Object.assign(link, { socket: null, token: "", who: null, epoch: null, sequence: null });
  if (socket) socket.close();
  $("who").textContent = "";
  $("pages").hidden = true;
  say("off", "");
}

/** A page for supervisors: listens to these topics, or says what it lacks. */
function supervise(topics, receive) {
  const lacks = (text) => {
    for (const main of document.querySelectorAll("main")) main.hidden = text !== "";
    $("problem").hidden = text === "";
    $("problem").textContent = text;
  };
  const start = () => {
    const token = tokenOfTab();
    lacks(token ? "" : SIGN_IN);
    if (!token) return;
    listen(token, {
      topics,
      receive: (message) => {
        if (message.type === "hello" && message.role !== "supervisor") {
          hangUp();
          lacks("This page is for supervisors.");
        } else {
          receive(message);
        }
      },
      refused: (why) => lacks(`${why}. ${SIGN_IN}`),
    });
  };
  window.addEventListener("hashchange", start);
  start();
}

/** Does something soon, once, however often it is asked for. */
function soon(act, after_ms = REFRESH_MS) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(async () => {
      try {
        await act();
      } finally {
        timer = 0;
      }
    }, after_ms);
  };
}

// --- always ----------------------------------------------------------------------------------------------------------

setInterval(() => {
  for (const element of document.querySelectorAll("[data-since]")) {
    if (element.dataset.since) element.textContent = clock(serverNow() - Number(element.dataset.since));
  }
}, 1000);

for (const page of document.querySelectorAll("#pages a")) {
  if (page.pathname === location.pathname) page.setAttribute("aria-current", "page");
}
