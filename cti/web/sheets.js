// What a supervisor can do about a queue, those who wait in it, and an agent: sheets over the floor.
"use strict";

const sheet = {
  kind: null,
  name: "",
  open(kind, name) {
    Object.assign(this, { kind, name });
    notice("", false, $("sheet-notice"));
    $("sheet-body").replaceChildren();
    delete $("sheet-body").dataset.shows;
    kind.begin(name);
    this.refresh();
    $("sheet").showModal();
  },
  close() {
    if ($("sheet").open) $("sheet").close();
  },
  refresh() {
    if (this.kind) this.kind.show(this.name);
  },
};
$("sheet").onclose = () => (sheet.kind = null);
$("sheet").onclick = (event) => {
  if (event.target === $("sheet")) sheet.close(); // beside it
};

/** A number that may be set over the site file's: what is typed is sent by Enter or when the field is left. */
function setting(label, { value, set, min, max, placeholder, send, hint }) {
  const field = el("input", { type: "number", step: "any", min, max, placeholder, value, "aria-label": label });
  field.onchange = () => field.value !== "" && field.checkValidity() && send(Number(field.value));
  return el("label", { class: "setting", children: [
    el("span", { text: label, class: hint ? "muted" : null, title: hint }), field,
    el("button", { text: "reset", type: "button", class: "quiet small", title: "What the site file says counts again", disabled: set ? null : "", onclick: () => send(null) }),
  ] });
}

// --- a queue ---------------------------------------------------------------------------------------------------------

const queueSheet = {
  begin(name) {
    $("sheet-title").textContent = `Queue ${name}`;
    $("sheet-body").append(el("div", { class: "settings" }), el("h3", { text: "Waiting" }), el("ol", { class: "line" }), el("p", { class: "muted" }));
  },
  show(name) {
    const queue = floor.shown.queues.find((q) => q.name === name);
    if (!queue) return sheet.close();
    const [settings, , line, none] = $("sheet-body").children;
    const path = `/v1/queues/${of(name)}`;
    const put = (body) => act(path, { method: "PUT", body });
    if (changed(settings, [queue.emergency, queue.priority, queue.priority_set])) settings.replaceChildren(
      el("label", { class: "setting", children: [
        el("span", { text: "Emergency", title: "Who waits, and who comes, goes where the queue says for it" }),
        el("input", { type: "checkbox", role: "switch", checked: queue.emergency ? "" : null, onchange: (event) => put({ emergency: event.target.checked }) }),
      ] }),
      setting("Priority", { value: queue.priority, set: queue.priority_set !== null, send: (priority) => put({ priority }) }),
    );
    keyed(line, queue.waiting, (item) => item.call_id, (item) => waitingMade(path, item), showWaiting);
    none.textContent = queue.waiting.length ? "" : "Nobody.";
  },
};

/** One who waits: who he is; opened, what can be done with him. */
function waitingMade(path, { call_id, state }) {
  const own = `${path}/calls/${of(call_id)}`;
  const to = el("input", { "aria-label": "Send to", list: "destinations", placeholder: "queue …, extension …", required: "" });
  const move = el("form", { children: [to, el("button", { text: "Send", class: "quiet" })], onsubmit: (event) => {
    event.preventDefault();
    act(`${own}/move`, { method: "POST", body: { to: to.value.trim() } });
  } });
  return el("li", { children: [el("details", { name: "waiting", children: [
    el("summary", { children: [el("b"), el("span", { class: "muted" }), el("span", { class: "n" }), el("span", { class: "clock n" })] }),
    el("div", { class: "actions", children: [
      setting("Priority", { set: true, placeholder: "the queue's", send: (priority) => act(own, { method: "PUT", body: { priority } }) }),
      state !== "KEPT" && move,
      el("a", { text: "its story", href: `/calls/${of(call_id)}` }),
      dangerous(state === "KEPT" ? "Give the place away" : "Hang up", () => act(own, { method: "DELETE" })),
    ] }),
  ] })] });
}

function showWaiting(row, { call_id, waited_s, state, agent, attributes }) {
  const call = floor.shown.calls.find((c) => c.id === call_id);
  const [who, what, basket, waited] = row.querySelector("summary").children;
  who.textContent = attributes.customer || (call && call.from) || attributes.number || call_id;
  const how = { RESERVED: agent && `rings at ${agent}`, KEPT: "hung up, place kept" }[state];
  what.textContent = [attributes.customer && call && call.from, how].filter(Boolean).join(", ");
  basket.textContent = money(attributes.basket);
  waited.dataset.since = state === "KEPT" ? "" : serverNow() - waited_s;
  waited.textContent = clock(waited_s);
}

// --- an agent --------------------------------------------------------------------------------------------------------

const agentSheet = {
  begin(name) {
    $("sheet-title").textContent = name;
    $("sheet-body").append(
      el("div", { class: "state-line", children: [el("span", { class: "state" }), el("span", { class: "muted" }), el("span", { class: "clock muted" })] }),
      el("div", { class: "commands" }), el("section"), el("section"),
    );
  },
  show(name) {
    const seen = floor.shown.agents.find((a) => a.name === name);
    if (!seen) return sheet.close();
    if (changed($("sheet-body"), seen)) this.fetch(name);
  },
  async fetch(name) {
    try {
      const agent = await get(`/v1/agents/${of(name)}`);
      if (sheet.kind === this && sheet.name === name) this.fill(agent);
    } catch (error) {
      notice(error.message, true, $("sheet-notice"));
    }
  },
  fill(agent) {
    const [line, commands, skills, queues] = $("sheet-body").children;
    const path = `/v1/agents/${of(agent.name)}`;
    const tell = async (command, body = {}) => {
      if (await act(`${path}/${command}`, { method: "POST", body })) return;
      for (const section of [commands, skills, queues]) delete section.dataset.shows; // what was chosen in vain is shown as it is
      this.fill(agent);
    };
    $("sheet-title").textContent = agent.display_name || agent.name;
    const [state, why, at] = line.children;
    state.dataset.state = agent.state;
    state.textContent = STATE_NAMES[agent.state] || agent.state;
    why.textContent = [reasonText(agent.reason), agent.phone && `at ${agent.phone}`, agent.pending && `then ${words(agent.pending).toLowerCase()}`].filter(Boolean).join(", ");
    at.dataset.since = agent.since ?? "";
    if (changed(commands, agent.state)) commands.replaceChildren(...commandsOf(agent, tell));
    const known = [...new Set(floor.shown.agents.flatMap((a) => [...Object.keys(a.skills || {}), ...Object.keys(a.skill_changes || {})]))].sort();
    const levels = (what, had, set) => Object.fromEntries([...Object.keys(had), ...Object.keys(set)].map((one) => [one, had[one] ?? 0]));
    this.levels(skills, "Skills", levels("skill", agent.skills || {}, agent.skill_changes || {}), agent.skill_changes || {}, known, (changes) => tell("change-skills", { levels: changes }));
    const his = agent.queues || [];
    this.levels(
      queues, "Queues", Object.fromEntries(his.map((q) => [q.name, q.level])), Object.fromEntries(his.filter((q) => q.changed).map((q) => [q.name, q.level])),
      floor.shown.queues.map((q) => q.name), (changes) => tell("change-queues", { levels: changes }),
      Object.fromEntries(his.map((q) => [q.name, !q.able ? "lacks the skills" : !q.joined ? "left for now" : ""])),
    );
  },
  /** Levels of one kind: those he has, and one to add. */
  levels(section, title, had, set, known, send, hints = {}) {
    if (!changed(section, [had, set, known, hints])) return;
    const name = el("input", { "aria-label": `Another of ${title.toLowerCase()}`, placeholder: "another", list: `${title}-known`, required: "" });
    const level = el("input", { "aria-label": "Level", type: "number", min: 0, max: 10, value: 5, required: "" });
    const add = el("form", { class: "setting", children: [name, level, el("button", { text: "Add", class: "quiet small" })], onsubmit: (event) => {
      event.preventDefault();
      send({ [name.value.trim()]: Number(level.value) });
    } });
    section.replaceChildren(
      el("h3", { text: title }),
      el("div", { class: "settings", children: Object.entries(had).map(([one, value]) => setting(hints[one] ? `${one}, ${hints[one]}` : one, {
        value, set: one in set, min: 0, max: 10, hint: hints[one], send: (changed) => send({ [one]: changed }),
      })) }),
      add, el("datalist", { id: `${title}-known`, children: known.filter((one) => !(one in had)).map((one) => el("option", { value: one })) }),
    );
  },
};

/** A supervisor's commands in the agent's place. */
function commandsOf(agent, tell) {
  const button = (command, text, kind = "quiet") => el("button", { text, type: "button", class: kind, "data-command": command, onclick: () => tell(command) });
  const pause = pauseMenu(agent.not_ready_reasons, (reason) => tell("not-ready", { reason }));
  return {
    LOGGED_OUT: [button("login", "Log in", "")],
    NOT_READY: [button("ready", "Ready", "go"), button("logout", "Log out")],
    READY: [pause, button("logout", "Log out")],
    RESERVED: [pause],
    BUSY: [pause, dangerous("Hang up", () => tell("hang-up"))],
    WRAP_UP: [button("wrap-up-done", "Work done", "go"), pause],
  }[agent.state] || [];
}
