// The supervisor's floor: queues, agents, calls, what happens. A click on a queue or an agent opens its sheet.
"use strict";

const EVENTS_SHOWN = 100;
const LONG_WAIT_S = 60;

const floor = {
  shown: { queues: [], agents: [], calls: [] },
  receive(message) {
    if (message.type === "snapshot" || message.type === "gap") {
      this.render(message);
      return;
    }
    const { type, sequence, at, ...rest } = message;
    const gone = type === "registered" && rest.expires_s === 0;
    $("events").prepend(el("li", { title: facts(rest), children: [
      el("time", { text: new Date(at * 1000).toLocaleTimeString() }), el("b", { text: gone ? "unregistered" : words(type) }),
      el("span", { text: summary(rest) }),
    ] }));
    if (type.startsWith("supervision_")) sheet.stale(); // the agent himself shows nothing of it
    while ($("events").children.length > EVENTS_SHOWN) $("events").lastElementChild.remove();
    this.refresh();
  },
  refresh: soon(async () => {
    try {
      const [calls, queues, agents] = await Promise.all([get("/v1/calls?limit=200"), get("/v1/queues"), get("/v1/agents")]);
      if (link.token) floor.render({ ...calls, ...queues, ...agents });
    } catch {
      // the socket tells when the server is gone
    }
  }),
  clear() {
    sheet.close();
    for (const id of ["queues", "agents", "calls", "events"]) $(id).replaceChildren();
  },
  render({ calls, queues, agents, left_off }) {
    this.shown = { calls, queues, agents };
    $("call-count").textContent = calls.length + (left_off || 0);
    $("agent-count").textContent = agents.filter((a) => a.state !== "LOGGED_OUT").length + " of " + agents.length;
    emergencyOfAll(queues);
    $("queues").replaceChildren(...rows(queues, 7, "no queues in this site", queueRow));
    if (changed($("destinations"), queues.map((q) => q.name))) $("destinations").replaceChildren(...queues.map((q) => el("option", { value: `queue ${q.name}` })));
    keyed($("agents"), agents, (a) => a.name, agentCard, showAgent);
    $("calls").replaceChildren(...rows(calls, 7, "no calls now", callRow));
    sheet.refresh();
  },
};

function queueRow(q) {
  const states = q.agents || {};
  const longest = q.longest_wait_s || 0;
  return [
    el("td", { children: [
      el("button", { text: q.name, type: "button", class: "open", "data-queue": q.name, onclick: () => sheet.open(queueSheet, q.name) }),
      q.emergency && el("span", { text: "emergency", class: "tag alarm" }),
    ] }),
    number(q.waiting.length), el("td", { text: q.waiting.length ? clock(longest) : "", class: longest > LONG_WAIT_S ? "n alarm" : "n" }),
    number(states.available), number(states.busy), number(q.answered), number(q.abandoned),
  ];
}

function agentCard(a) {
  return el("li", { children: [
    el("button", { type: "button", class: "open", title: a.name, "data-agent": a.name, onclick: () => sheet.open(agentSheet, a.name) }),
    el("span", { children: [el("span"), el("span", { class: "clock" })] }),
  ] });
}

function showAgent(card, a) {
  card.dataset.state = a.state;
  card.querySelector("button").textContent = a.display_name || a.name;
  const [state, at] = card.querySelectorAll("span > span");
  state.textContent = [STATE_NAMES[a.state] || a.state, reasonText(a.reason)].filter(Boolean).join(", ") + " ";
  at.dataset.since = a.since ?? "";
  at.textContent = a.since ? clock(serverNow() - a.since) : "";
}

function callRow(c) {
  return [
    el("td", { children: [el("a", { text: c.from || c.id, href: `/calls/${of(c.id)}` })] }), el("td", { text: c.to }), el("td", { text: words(c.state) }),
    el("td", { text: c.with || c.agent || c.queue || c.destination || "" }),
    el("td", { class: "n", children: [since(c.started_at ?? c.since)] }),
    el("td", { text: c.attributes.customer || "" }), el("td", { text: money(c.attributes.basket), class: "n" }),
  ];
}

/** The switch of all queues at once. */
function emergencyOfAll(queues) {
  const on = queues.length > 0 && queues.every((q) => q.emergency);
  if (!changed($("emergency"), [on, queues.length > 0])) return;
  $("emergency").hidden = queues.length === 0;
  const turn = dangerous(on ? "End the emergency" : "Emergency", () => act("/v1/emergency", { method: "PUT", body: { on: !on } }, $("floor-notice")));
  $("emergency").textContent = turn.textContent;
  turn.id = "emergency";
  turn.classList.add("small");
  turn.title = on ? "All queues work again" : "Of all queues: callers go where each queue says for an emergency";
  turn.dataset.shows = $("emergency").dataset.shows;
  $("emergency").replaceWith(turn);
}

/** A supervisor's command; what the server says against it is shown at its place. True: it was done. */
async function act(path, request, said = $("sheet-notice")) {
  notice("", false, said);
  try {
    await ask(path, request);
    floor.refresh();
    return true;
  } catch (error) {
    notice(error.message, true, said);
    return false;
  }
}

// --- events in words -------------------------------------------------------------------------------------------------

const TOLD = ["aor", "agent", "state", "reason", "queue", "from_number", "to_number", "number", "destination", "target", "method", "cause", "outcome"];
const plain = (value) => (Array.isArray(value) ? value.map(plain).join(", ") : value && typeof value === "object" ? facts(value, ", ") : String(value));
const facts = (values, between = "\n") => Object.entries(values).filter(([, value]) => value !== null).map(([key, value]) => `${words(key)}: ${plain(value)}`).join(between);
const summary = (rest) => TOLD.filter((key) => rest[key]).map((key) => rest[key]).join(" · ") || (rest.attributes ? plain(rest.attributes) : rest.call_id || "");
