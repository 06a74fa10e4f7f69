// What a supervisor can do about a queue, those who wait in it, and an agent: sheets over the floor.
"use strict";

const sheet = {
  kind: null,
  name: "",
  open(kind, name) {
    Object.assign(this, { kind, name });
    notice("", false, $("sheet-notice"));
    $("sheet-body").replaceChildren();
    this.stale();
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
  stale() {
    delete $("sheet-body").dataset.shows;
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
      el("div", { class: "commands" }), el("section"), el("section"), el("section"),
    );
  },
  show(name) {
    const seen = floor.shown.agents.find((a) => a.name === name);
    if (!seen) return sheet.close();
    if (changed($("sheet-body"), seen)) this.fetch(name);
  },
  async fetch(name) {
    try {
      const path = `/v1/agents/${of(name)}`;
      const [agent, { supervision }] = await Promise.all([get(path), get(`${path}/supervision`)]);
      if (sheet.kind === this && sheet.name === name) this.fill(agent, supervision);
    } catch (error) {
      notice(error.message, true, $("sheet-notice"));
    }
  },
  fill(agent, listeners) {
    const [line, commands, listening, skills, queues] = $("sheet-body").children;
    const path = `/v1/agents/${of(agent.name)}`;
    const tell = async (command, body = {}) => {
      if (await act(`${path}/${command}`, { method: "POST", body })) return;
      for (const section of [commands, skills, queues]) delete section.dataset.shows; // what was chosen in vain is shown as it is
      this.fill(agent, listeners);
    };
    $("sheet-title").textContent = agent.display_name || agent.name;
    const [state, why, at] = line.children;
    state.dataset.state = agent.state;
    state.textContent = STATE_NAMES[agent.state] || agent.state;
    why.textContent = [reasonText(agent.reason), agent.phone && `at ${agent.phone}`, agent.pending && `then ${words(agent.pending).toLowerCase()}`].filter(Boolean).join(", ");
    at.dataset.since = agent.since ?? "";
    if (changed(commands, [agent.state, agent.call_id])) commands.replaceChildren(...commandsOf(agent, tell));
    const talks = agent.state === "BUSY" || agent.reason === "on another call";
    if (changed(listening, [talks, listeners, listeners.some((one) => one.supervisor === ownExtension())])) {
      if (listeners.length) notice("", false, $("sheet-notice")); // a phone rings no more
      listening.replaceChildren(...listeningTo(`${path}/supervision`, talks, listeners));
    }
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
    BUSY: whileHeTalks(agent, tell),
    WRAP_UP: [button("wrap-up-done", "Work done", "go"), pause],
  }[agent.state] || [];
}

/** What takes him from his work waits until his call is over, unless the supervisor has read that it ends the call. */
function whileHeTalks(agent, tell) {
  const choice = el("div", { class: "choice", role: "group" });
  const call_id = agent.call_id; // as it is shown: if he has another by now, that one is not ended
  const when = (what, command, body = {}) => {
    const chosen = (more) => () => {
      choice.replaceChildren();
      tell(command, { ...body, ...more });
    };
    choice.replaceChildren(
      el("p", { text: `${what} after the call, or now? Now ends it: the caller${whom(agent)} is hung up on, and there is no time for notes.` }),
      el("div", { class: "actions", children: [
        el("button", { text: "After the call", type: "button", class: "quiet", onclick: chosen() }),
        dangerous("End the call now", chosen({ now: true, call_id })),
        el("button", { text: "Cancel", type: "button", class: "quiet", onclick: () => choice.replaceChildren() }),
      ] }),
    );
  };
  const pause = pauseMenu(agent.not_ready_reasons, (reason) => {
    pause.value = "";
    when(`Not ready (${reason})`, "not-ready", { reason });
  });
  return [
    pause, el("button", { text: "Log out", type: "button", class: "quiet", "data-command": "logout", onclick: () => when("Log out", "logout") }),
    dangerous("Hang up", () => tell("hang-up", { call_id })), choice,
  ];
}

function whom({ call_id }) {
  const call = floor.shown.calls.find((c) => c.id === call_id);
  return call ? ` (${call.attributes.customer || (call.direction === "outbound" ? call.to : call.from)})` : "";
}

// --- listening -------------------------------------------------------------------------------------------------------

const MODES = {
  monitor: { text: "Monitor", does: "listens", heard: "nobody hears you" },
  whisper: { text: "Whisper", does: "whispers", heard: "only the agent hears you" },
  barge: { text: "Barge in", does: "takes part", heard: "both hear you" },
};
const ownExtension = () => sessionStorage.getItem("extension") || "";

/** Who listens to an agent's call; the supervisor himself begins it, changes it and ends it. */
function listeningTo(path, talks, listeners) {
  if (!talks && !listeners.length) return [];
  const own = listeners.find((one) => one.supervisor === ownExtension());
  const shown = listeners.map((one) => el("p", { children: [`${one.supervisor} ${MODES[one.mode].does}, `, since(one.since)] }));
  const meant = el("p", { class: "muted", text: Object.values(MODES).map(({ text, heard }) => `${text}: ${heard}.`).join(" ") });
  return [el("h3", { text: "Listen" }), ...shown, ...(own ? [listens(path, own), meant] : talks ? [mayListen(path), meant] : [])];
}

const modeButtons = (chosen, now) => Object.entries(MODES).map(([mode, { text }]) => el("button", {
  text, type: "button", class: mode === now ? "small chosen" : "quiet small", "data-mode": mode, onclick: () => mode !== now && chosen(mode),
}));

function listens(path, { supervisor, mode: now }) {
  const own = `${path}/${of(supervisor)}`;
  return el("div", { class: "actions", children: [
    ...modeButtons((mode) => act(own, { method: "PUT", body: { mode } }), now),
    el("button", { text: "Stop", type: "button", class: "quiet small", "data-mode": "none", onclick: () => act(own, { method: "DELETE" }) }),
  ] });
}

function mayListen(path) {
  const phone = el("input", { value: ownExtension(), required: "", inputmode: "tel", "aria-label": "Your extension" });
  phone.onchange = () => {
    sessionStorage.setItem("extension", phone.value.trim());
    sheet.stale(); // he may be one of those who listen
    sheet.refresh();
  };
  const begin = async (mode) => {
    const supervisor = phone.value.trim();
    if (phone.reportValidity() && await act(path, { method: "POST", body: { supervisor, mode } })) {
      notice(`${supervisor} rings: pick up. ${MODES[mode].text}: ${MODES[mode].heard}.`, false, $("sheet-notice"));
    }
  };
  return el("form", { class: "actions listen", onsubmit: (event) => event.preventDefault(), children: [
    el("label", { children: [el("span", { text: "Your extension" }), phone] }), ...modeButtons(begin),
  ] });
}
