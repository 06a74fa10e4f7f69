// The page at "/": a live view for supervisors, a small desktop for agents. One websocket; no library, no build step.
"use strict";

const REFRESH_MS = 500;
const EVENTS_SHOWN = 100;
const LATER_MS = [500, 1000, 2000, 5000, 10000];
const REASONS = ["break", "lunch", "mail", "training", "meeting"]; // of sites that have no list of their own
const EXTEND_S = 60;
const STATE_NAMES = {
  LOGGED_OUT: "Logged out", NOT_READY: "Not ready", READY: "Ready", RESERVED: "Ringing", BUSY: "On a call", WRAP_UP: "Wrap-up",
};
const SHOWN_ABOVE = ["web_session", "match_method", "match_confidence", "customer", "basket"];
const METHODS = { token: "from the web page", code: "typed code", caller_id: "caller ID" };
const REFUSALS = {
  answered_elsewhere: "answered by a colleague", no_answer: "not answered", rejected: "rejected", busy: "your phone was busy",
  unregistered: "your phone is not registered", caller_hung_up: "the caller hung up", withdrawn: "withdrawn",
};

/** Why the state is what it is, for people. */
const reasonText = (reason) => (reason === "unregistered" ? "phone not registered" : reason ? words(reason) : "");

// --- connection ------------------------------------------------------------------------------------------------------

const link = { socket: null, token: "", who: null, epoch: null, sequence: null, tries: 0, timer: 0, ahead: 0, command: 0 };
const serverNow = () => Date.now() / 1000 + link.ahead;

function connect() {
  clearTimeout(link.timer);
  const query = new URLSearchParams();
  if (link.sequence !== null) {
    query.set("since", link.sequence);
    query.set("epoch", link.epoch);
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/v1/events?${query}`);
  link.socket = socket;
  socket.onopen = () => socket.send(JSON.stringify({ token: link.token }));
  socket.onmessage = (message) => receive(JSON.parse(message.data));
  socket.onclose = (event) => {
    if (link.socket !== socket) return;
    if ([4401, 4403, 4404].includes(event.code)) {
      signOut(event.reason || "this token is not accepted");
      return;
    }
    say("lost", "connection lost, trying again");
    link.timer = setTimeout(connect, LATER_MS[Math.min(link.tries++, LATER_MS.length - 1)]);
  };
}

function receive(message) {
  if (message.sequence !== undefined && message.type !== "hello") link.sequence = message.sequence;
  switch (message.type) {
    case "hello":
      link.who = message;
      link.epoch = message.epoch;
      link.tries = 0;
      link.ahead = message.at - Date.now() / 1000;
      if (link.sequence === null) link.sequence = message.sequence;
      say("on", "live");
      show(message.role === "agent" ? "desktop" : "floor");
      $("who").textContent = `${message.name}, ${message.role}`;
      break;
    case "reply":
      if (!message.ok) {
        notice(message.problem.detail || message.problem.title, true);
        delete $("own-queues").dataset.shows; // what was ticked in vain is shown as it is
        if (link.who.role === "agent") desktop.state(desktop.agent);
      }
      if (message.ok && message.agent && link.who.role === "agent") desktop.state(message.agent);
      break;
    case "error":
      break; // the close that follows says it
    default:
      (link.who.role === "agent" ? desktop : floor).receive(message);
  }
}

function command(name, more = {}) {
  notice("");
  if (link.socket.readyState === WebSocket.OPEN) {
    link.socket.send(JSON.stringify({ command: name, id: ++link.command, ...more }));
  } else {
    notice("not connected: try again in a moment", true);
  }
}

const get = async (path) => (await ask(path, link.token)).json();

// --- signing in and out ----------------------------------------------------------------------------------------------

function show(id) {
  for (const name of ["sign-in", "floor", "desktop"]) $(name).hidden = name !== id;
  $("leave").hidden = id === "sign-in";
}

function signIn(token) {
  Object.assign(link, { token, who: null, epoch: null, sequence: null, tries: 0 });
  sessionStorage.setItem("token", token);
  say("off", "connecting");
  connect();
}

function signOut(why = "") {
  clearTimeout(link.timer);
  sessionStorage.removeItem("token");
  const socket = link.socket;
  link.socket = null;
  if (socket) socket.close();
  Object.assign(link, { token: "", who: null, epoch: null, sequence: null });
  desktop.clear();
  floor.clear();
  $("who").textContent = "";
  $("token").value = "";
  $("sign-in-error").textContent = why;
  say("off", "not connected");
  show("sign-in");
}

// --- the supervisor's view -------------------------------------------------------------------------------------------

const floor = {
  timer: 0,
  receive(message) {
    if (message.type === "snapshot" || message.type === "gap") {
      this.render(message);
      return;
    }
    const { type, sequence, at, ...rest } = message;
    const time = new Date(at * 1000).toLocaleTimeString();
    const gone = type === "registered" && rest.expires_s === 0;
    $("events").prepend(el("li", { title: JSON.stringify(rest), children: [
      el("time", { text: time }), el("b", { text: gone ? "unregistered" : words(type) }), el("span", { text: summary(rest) }),
    ] }));
    while ($("events").children.length > EVENTS_SHOWN) $("events").lastElementChild.remove();
    if (!this.timer) this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
  },
  async refresh() {
    try {
      const [calls, queues, agents] = await Promise.all([get("/v1/calls?limit=200"), get("/v1/queues"), get("/v1/agents")]);
      if (link.token) this.render({ ...calls, ...queues, ...agents });
    } catch {
      // the socket tells when the server is gone
    } finally {
      this.timer = 0;
    }
  },
  clear() {
    clearTimeout(this.timer);
    this.timer = 0;
    for (const id of ["queues", "agents", "calls", "events"]) $(id).replaceChildren();
  },
  render({ calls, queues, agents, left_off }) {
    $("call-count").textContent = calls.length + (left_off || 0);
    $("agent-count").textContent = agents.filter((a) => a.state !== "LOGGED_OUT").length + " of " + agents.length;
    $("queues").replaceChildren(...rows(queues, 7, "no queues in this site", (q) => {
      const states = q.agents || q;
      const longest = q.longest_wait_s || 0;
      return [
        el("td", { text: q.name }), number(q.waiting.length),
        el("td", { text: q.waiting.length ? clock(longest) : "", class: longest > 60 ? "n alarm" : "n" }),
        number(states.available ?? states.ready), number(states.busy), number(q.answered), number(q.abandoned),
      ];
    }));
    $("agents").replaceChildren(...agents.map((a) => el("li", { "data-state": a.state, children: [
      el("b", { text: a.display_name || a.name, title: a.name }),
      el("span", { text: [STATE_NAMES[a.state] || a.state, reasonText(a.reason)].filter(Boolean).join(", ") + " " }),
      since(a.since),
    ] })));
    $("calls").replaceChildren(...rows(calls, 7, "no calls now", (c) => [
      el("td", { children: [el("a", { text: c.from || c.id, href: `/calls/${encodeURIComponent(c.id)}` })] }), el("td", { text: c.to }), el("td", { text: words(c.state) }),
      el("td", { text: c.with || c.agent || c.queue || c.destination || "" }),
      el("td", { class: "n", children: [since(c.started_at ?? c.since)] }),
      el("td", { text: c.attributes.customer || "" }),
      el("td", { text: money(c.attributes.basket), class: "n" }),
    ]));
  },
};

const number = (value) => el("td", { text: value ?? "", class: "n" });
const since = (at) => el("span", { class: "clock", "data-since": at ?? "", text: at ? clock(serverNow() - at) : "" });

function rows(list, columns, none, cells) {
  if (!list.length) return [el("tr", { children: [el("td", { text: none, colspan: columns, class: "none" })] })];
  return list.map((one) => el("tr", { children: cells(one) }));
}

function summary(rest) {
  const known = ["aor", "agent", "state", "reason", "queue", "from_number", "to_number", "destination", "target", "method", "cause", "outcome"];
  return known.filter((key) => rest[key]).map((key) => rest[key]).join(" · ") || (rest.attributes ? JSON.stringify(rest.attributes) : rest.call_id || "");
}

// --- the agent's desktop ---------------------------------------------------------------------------------------------

const desktop = {
  pop: null,
  agent: {}, // what is known of him: his state's events tell a part of it, the rest is asked for
  asking: 0,
  async refresh() {
    const asked = ++this.asking;
    try {
      const agent = await get(`/v1/agents/${encodeURIComponent(link.who.name)}`);
      if (asked === this.asking && link.token) this.state(agent);
    } catch {
      // the socket tells when the server is gone
    }
  },
  receive(message) {
    switch (message.type) {
      case "snapshot":
      case "gap":
        this.state(message.agent);
        this.refresh();
        this.show(message.pops.length ? message.pops[0] : null);
        break;
      case "agent_state_changed":
        this.state({ ...this.agent, state: message.state, reason: message.reason, since: message.at, pending: null });
        this.refresh();
        break;
      case "agent_seated":
      case "agent_queues_changed":
      case "agent_skills_changed":
      case "work_noted":
      case "wrap_up_extended":
        this.refresh();
        break;
      case "offer":
        notice("");
        this.show({ ...message, state: "offered" });
        break;
      case "updated":
        if (this.is(message)) this.show({ ...message, state: this.pop.state });
        break;
      case "connected":
      case "wrap_up":
        if (this.is(message)) this.show({ ...this.pop, state: message.type });
        break;
      case "retract":
        if (this.is(message)) {
          this.show(null);
          notice(`Call withdrawn: ${REFUSALS[message.reason] || words(message.reason)}.`);
        }
        break;
      case "ended":
        if (this.is(message)) this.show(null);
    }
  },
  is(message) {
    return this.pop !== null && this.pop.pop_id === message.pop_id;
  },
  clear() {
    this.agent = {};
    this.asking++;
    for (const id of ["commands", "work", "own-queues"]) {
      $(id).replaceChildren();
      delete $(id).dataset.shows;
    }
    this.show(null);
    notice("");
  },
  state(agent) {
    this.agent = agent;
    const { state, reason, since: at, pending } = agent;
    $("state").dataset.state = state;
    $("state").textContent = STATE_NAMES[state] || state;
    $("state-reason").textContent = [reasonText(reason), agent.phone && state !== "LOGGED_OUT" && `at ${agent.phone}`, pending && `then ${words(pending).toLowerCase()}`].filter(Boolean).join(", ");
    $("state-since").dataset.since = at ?? "";
    $("state-since").textContent = at ? clock(serverNow() - at) : "";
    const button = (name, text, kind = "quiet") => {
      const made = el("button", { text, class: kind, "data-command": name });
      made.onclick = () => command(name);
      return made;
    };
    const reasons = agent.not_ready_reasons && agent.not_ready_reasons.length ? agent.not_ready_reasons : REASONS;
    const pause = el("select", { "aria-label": "Not ready", "data-command": "not_ready", children: [
      el("option", { text: "Not ready …", value: "" }), ...reasons.map((r) => el("option", { text: r, value: r })),
    ] });
    pause.onchange = () => pause.value && command("not_ready", { reason: pause.value });
    if (changed("commands", [state, reasons])) $("commands").replaceChildren(...{
      LOGGED_OUT: [button("login", "Log in", "")],
      NOT_READY: [button("ready", "Ready", "go"), pause, button("logout", "Log out")],
      READY: [pause, button("logout", "Log out")],
      RESERVED: [],
      BUSY: [button("hang_up", "Hang up"), pause],
      WRAP_UP: [button("wrap_up_done", "Work done", "go"), pause],
    }[state] || []);
    if (changed("work", agent.wrap_up)) $("work").replaceChildren(...notes(agent));
    if (changed("own-queues", [agent.queues, state === "LOGGED_OUT"])) $("own-queues").replaceChildren(...ownQueues(agent));
  },
  show(pop) {
    this.pop = pop;
    $("pop").hidden = pop === null;
    $("no-pop").hidden = pop !== null;
    $("pop").dataset.state = pop ? pop.state : "";
    $("pop").replaceChildren(...(pop ? card(pop) : []));
    document.title = pop && pop.state === "offered" ? `☎ ${pop.call.from}` : "Plateau";
  },
};

/** Whether a part shows something else by now: one that does not stays as it is, under the agent's finger. */
function changed(id, what) {
  const shows = JSON.stringify(what ?? null);
  const other = $(id).dataset.shows !== shows;
  $(id).dataset.shows = shows;
  return other;
}

/** How the call ended, and how long that may still be noted down. */
function notes({ wrap_up: work }) {
  if (!work || (work.began === null && !work.dispositions.length)) return [];
  const given = work.disposition;
  const choices = work.dispositions.map((word) => {
    const made = el("button", { text: word, class: word === given ? "chosen" : "quiet", "data-disposition": word, "aria-pressed": String(word === given) });
    made.onclick = () => command("note", { disposition: word });
    return made;
  });
  const children = [];
  if (choices.length) {
    const lacks = work.disposition_needed && given === null;
    children.push(el("h2", { text: lacks ? "How did it end? (needed)" : "How did it end?", class: lacks ? "needed" : "" }),
      el("div", { class: "choices", children: choices }));
  }
  if (work.began !== null) {
    const more = el("button", { text: `+ ${EXTEND_S} s`, class: "quiet", "data-command": "extend_wrap_up" });
    more.onclick = () => command("extend_wrap_up", { seconds: EXTEND_S });
    more.disabled = work.until !== null && work.until >= work.at_most_until;
    children.push(el("div", { class: "countdown", children: [
      work.until === null
        ? el("span", { id: "left", text: "until a choice is made" })
        : el("progress", { "data-from": work.began, "data-until": work.until, max: 1, value: 1, "aria-label": "time for notes" }),
      work.until !== null && el("span", { id: "left", class: "clock", "data-until": work.until, text: clock(work.until - serverNow()) }),
      more,
    ] }));
  }
  return children;
}

/** The queues that he could serve; a click joins or leaves one. */
function ownQueues({ queues, state }) {
  if (!queues || queues.length < 2 || state === "LOGGED_OUT") return [];
  return [el("h2", { text: "Queues" }), el("div", { class: "choices", children: queues.map((queue) => {
    const box = el("input", { type: "checkbox", "data-queue": queue.name });
    box.checked = queue.joined;
    box.onchange = () => command(box.checked ? "join_queue" : "leave_queue", { queue: queue.name });
    return el("label", { class: "queue", children: [box, el("span", { text: queue.name }),
      queues.some((one) => one.level !== queue.level) && el("span", { class: "muted", text: `level ${queue.level}` })] });
  }) })];
}

/** What the agent sees of a caller. */
function card({ state, call, match, session, trimmed }) {
  const record = session || {};
  const basket = record.basket;
  const name = record.name || call.attributes.customer || call.from_name || "Unknown caller";
  const sure = match && match.confidence >= 0.9;
  const tag = (text, kind = "") => el("span", { text, class: `tag ${kind}` });
  return [
    el("div", { class: "pop-head", children: [
      el("div", { children: [
        el("h1", { text: name, id: "pop-name" }),
        el("div", { class: "caller", children: [
          el("span", { text: call.from }), el("span", { class: "muted", text: ` → ${call.to}` }),
        ] }),
      ] }),
      basket && el("div", { children: [
        el("div", { class: "amount", id: "pop-amount", text: money(basket.amount, basket.currency) }),
        el("div", { class: "muted n", text: "basket" }),
      ] }),
    ] }),
    el("div", { class: "tags", children: [
      tag({ offered: "ringing", connected: "on the line", wrap_up: "wrap-up" }[state] || state),
      tag(`queue ${call.queue}`), tag(`${clock(call.waited_s)} since the call came in`),
      match ? tag(`${METHODS[match.method] || match.method}, ${Math.round(match.confidence * 100)} % sure`, sure ? "sure" : "unsure") : tag("no web session"),
      record.destination && tag(record.destination), record.language && tag(record.language),
      record.partner && tag(`partner ${record.partner}`), trimmed && tag("shortened", "unsure"),
    ] }),
    el("div", { class: "pop-body", children: [
      basket && basket.items && basket.items.length && part("Basket", el("ul", { children: basket.items.map((item) =>
        el("li", { children: [
          el("span", { text: item.quantity > 1 ? `${item.quantity} × ${item.name}` : item.name }),
          el("span", { class: "n", text: money(item.price, basket.currency) }),
        ] })) })),
      record.pages && record.pages.length && part("Pages seen", el("ul", { children: record.pages.slice(-10).reverse().map((page) =>
        el("li", { children: [address(page)] })) })),
      record.form && Object.keys(record.form).length && part("Typed on the site", definitions(record.form)),
      part("Call", definitions(Object.fromEntries(Object.entries(call.attributes)
        .filter(([key, value]) => value !== "" && value !== record[key] && !SHOWN_ABOVE.includes(key))))),
    ] }),
  ];
}

/** A link only if it is one: a page's address comes from outside. */
function address(page) {
  const text = page.title || page.url;
  return /^https?:\/\//i.test(page.url) ? el("a", { text, href: page.url, target: "_blank", rel: "noopener noreferrer" }) : el("span", { text });
}

function notice(text, bad = false) {
  $("notice").textContent = text;
  $("notice").toggleAttribute("data-bad", bad);
}

// --- start -----------------------------------------------------------------------------------------------------------

setInterval(() => {
  for (const element of document.querySelectorAll("[data-since]")) {
    if (element.dataset.since) element.textContent = clock(serverNow() - Number(element.dataset.since));
  }
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Number(element.dataset.until) - serverNow();
    if (element.tagName === "PROGRESS") {
      element.value = Math.max(0, left / (Number(element.dataset.until) - Number(element.dataset.from)));
    } else {
      element.textContent = clock(left);
    }
  }
}, 1000);

$("sign-in-form").onsubmit = (event) => {
  event.preventDefault();
  $("sign-in-error").textContent = "";
  const token = $("token").value.trim();
  if (token) signIn(token);
};
$("leave").onclick = () => signOut();

function start() {
  const token = tokenOfTab();
  if (token) signIn(token);
  else signOut();
}
window.addEventListener("hashchange", start);
start();
