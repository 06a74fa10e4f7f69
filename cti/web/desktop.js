// The agent's desktop: his state, the caller's record, notes of the call, his queues.
"use strict";

const EXTEND_S = 60;
const SHOWN_ABOVE = ["web_session", "match_method", "match_confidence", "customer", "basket"];
const METHODS = { token: "from the web page", code: "typed code", callback: "asked for a call on the page", caller_id: "caller ID" };
const REFUSALS = {
  answered_elsewhere: "answered by a colleague", no_answer: "not answered", rejected: "rejected", busy: "your phone was busy",
  unregistered: "your phone is not registered", caller_hung_up: "the caller hung up", withdrawn: "withdrawn",
  not_reached: "the customer was not reached",
};

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
      case "transferred": // a colleague has given him the caller
        this.show({ ...message, state: "connected" });
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
    const pause = pauseMenu(agent.not_ready_reasons, (reason) => command("not_ready", { reason }));
    if (changed($("commands"), [state, agent.not_ready_reasons])) $("commands").replaceChildren(...{
      LOGGED_OUT: [button("login", "Log in", "")],
      NOT_READY: [button("ready", "Ready", "go"), pause, button("logout", "Log out")],
      READY: [pause, button("logout", "Log out")],
      RESERVED: [],
      BUSY: [button("hang_up", "Hang up"), pause],
      WRAP_UP: [button("wrap_up_done", "Work done", "go"), pause],
    }[state] || []);
    if (changed($("work"), agent.wrap_up)) $("work").replaceChildren(...notes(agent));
    if (changed($("own-queues"), [agent.queues, state === "LOGGED_OUT"])) $("own-queues").replaceChildren(...ownQueues(agent));
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

/** The queues that he can serve; a click joins or leaves one. */
function ownQueues({ queues: his, state }) {
  const queues = (his || []).filter((queue) => queue.able);
  if (queues.length < 2 || state === "LOGGED_OUT") return [];
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
      tag(call.queue ? `queue ${call.queue}` : "from a colleague"), tag(`${clock(call.waited_s)} since the call came in`),
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

setInterval(() => {
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Number(element.dataset.until) - serverNow();
    if (element.tagName === "PROGRESS") {
      element.value = Math.max(0, left / (Number(element.dataset.until) - Number(element.dataset.from)));
    } else {
      element.textContent = clock(left);
    }
  }
}, 1000);
