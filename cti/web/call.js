// The page at "/calls/ID": what is known of one call, and its ladder while its messages are kept.
"use strict";

const EVERY_MS = 2000;
const CALL = decodeURIComponent(location.pathname.split("/").pop());
const shown = { picture: "", moments: "", texts: new Map(), chosen: null, timer: 0 };
const address = (more) => `/v1/calls/${encodeURIComponent(CALL)}${more}`;
const stamp = (at) => (at ? new Date(at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : null);
const spell = (value) => (typeof value === "number" ? clock(value) : null);

function fail(text) {
  for (const id of ["facts", "why", "messages", "message"]) $(id).hidden = true;
  $("problem").hidden = false;
  $("problem").textContent = text;
  say("off", "");
}

// --- facts -----------------------------------------------------------------------------------------------------------

// How the legs sound: mean opinion score, loss, jitter, round trip.
function sound(live, record, legs) {
  const line = (mos, lost, jitter, trip) => [
    typeof mos === "number" && `${mos.toFixed(1)} of 4.5`, lost > 0 && `${lost} packets lost`,
    typeof jitter === "number" && `jitter ${jitter.toFixed(1)} ms`, typeof trip === "number" && `round trip ${trip.toFixed(0)} ms`,
  ].filter(Boolean).join(", ");
  const named = live
    ? legs.map((leg) => [leg.leg === 1 ? "caller" : `leg ${leg.leg}`, line(leg.mos, leg.packets_lost, leg.jitter_ms, leg.rtt_ms)])
    : record && record.packets_received
      ? [["caller", line(record.caller_mos, record.packets_lost, record.jitter_ms, record.caller_rtt_ms)],
         ["callee", line(record.callee_mos, record.callee_lost, record.callee_jitter_ms, record.callee_rtt_ms)]]
      : [];
  return Object.fromEntries(named.filter(([, text]) => text));
}

function facts({ id, live, record, traced, quality, recordings }) {
  const from = live ? live.from : record && record.from_number;
  const to = live ? live.to : record && record.to_number;
  const parties = from || to ? `${from || "unknown"} → ${to || "unknown"}` : `Call ${id}`;
  document.title = `${parties} - Plateau`;
  $("parties").textContent = parties;
  const tag = (text, kind = "") => text && el("span", { text, class: `tag ${kind}` });
  const state = live ? words(live.state) : record ? record.cause : "just over";
  $("tags").replaceChildren(...[
    tag(live ? "live" : "over", live ? "sure" : ""), tag(state), tag((live || record || {}).direction), tag(id),
  ].filter(Boolean));
  const of = live || record || {};
  const known = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const times = known(live
    ? { started: stamp(live.started_at ?? live.since), "for": spell(Date.now() / 1000 - (live.started_at ?? live.since)) }
    : record ? {
        started: stamp(record.started_at), answered: stamp(record.answered_at), connected: stamp(record.connected_at), ended: stamp(record.ended_at),
        waited: record.queue ? spell(record.waited_s) : null, talked: record.connected_at ? spell(record.talked_s) : null,
      } : {});
  const way = known({
    destination: of.destination, queue: of.queue, agent: of.agent, "with": live ? live.with : null,
    status: record ? record.status : null, "web session": record ? record.web_session : null, basket: record ? money(record.basket) : null,
    disposition: record ? record.disposition : null,
  });
  $("details").replaceChildren(...[
    part("When", definitions(times)), part("Where", definitions(way)),
    part("Sound", definitions(sound(live, record, quality || []))),
    live && part("Attributes", definitions(known(live.attributes))),
    recordings.length > 0 && part("Recordings", el("ul", { children: recordings.map(recorded) })),
  ].filter(Boolean));
  $("facts").hidden = false;
  $("messages").hidden = false;
  $("packets").hidden = !traced;
  $("no-picture").hidden = traced;
  $("no-picture").textContent = traced ? "" : "Its messages are not kept any more.";
}

// --- why it went where it went ---------------------------------------------------------------------------------------

/** The explanation, a line of time. Calls that were in no queue have none. */
async function why() {
  const { moments } = await (await ask(address("/explanation"))).json();
  const text = JSON.stringify(moments);
  if (text === shown.moments) return;
  shown.moments = text;
  $("why").hidden = moments.length === 0;
  $("moments").replaceChildren(...moments.map(step));
}

function step({ at, after_s, kind, text, details }) {
  const when = el("time", {
    text: `+${clock(after_s)}`, datetime: new Date(at * 1000).toISOString(), title: new Date(at * 1000).toLocaleTimeString(),
  });
  const below = details.length > 0 && el("ul", { children: details.map((line) => el("li", { text: line })) });
  return el("li", { "data-kind": kind, children: [when, el("div", { children: [el("p", { text }), below] })] });
}

// --- the ladder ------------------------------------------------------------------------------------------------------

async function picture() {
  const text = await (await ask(address("/ladder.svg"))).text();
  if (text === shown.picture) return;
  shown.picture = text;
  // Its own style is for when it stands alone; here the page's policy forbids it and /ladder.css has the same.
  const bare = text.replace(/<style>[^]*?<\/style>/, "");
  const svg = document.adoptNode(new DOMParser().parseFromString(bare, "image/svg+xml").documentElement);
  $("picture").replaceChildren(svg);
  for (const arrow of svg.querySelectorAll("[data-sequence]")) {
    arrow.onclick = () => choose(Number(arrow.dataset.sequence));
    arrow.onkeydown = (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(Number(arrow.dataset.sequence));
      }
    };
  }
  mark();
}

function mark() {
  for (const arrow of document.querySelectorAll("[data-sequence]")) {
    arrow.classList.toggle("chosen", Number(arrow.dataset.sequence) === shown.chosen);
  }
}

/** Show the whole message of an arrow. */
async function choose(sequence) {
  shown.chosen = sequence;
  mark();
  if (!shown.texts.has(sequence)) await read();
  const message = shown.texts.get(sequence);
  $("message").hidden = false;
  $("message-title").textContent = message ? `${message.title}, ${message.direction} ${message.direction === "sent" ? "to" : "from"} ${message.transport} ${message.peer}` : "not kept any more";
  $("message-text").textContent = message ? message.text : "";
  $("message").scrollIntoView({ block: "nearest", behavior: "smooth" });
}

async function read() {
  const answer = await ask(`/v1/trace?last_s=86400&call=${encodeURIComponent(CALL)}`);
  for (const line of (await answer.text()).split("\n")) {
    if (!line) continue;
    const message = JSON.parse(line);
    if (message.type === "message") shown.texts.set(message.sequence, message);
  }
}

/** One recording: its state, and a button that fetches its sound with the token. */
function recorded({ id, state, format, duration_s }) {
  const text = state === "kept" ? `${clock(duration_s)}, ${format}` : state;
  if (state !== "kept") return el("li", { text });
  const button = el("button", { text: "save" });
  button.onclick = async () => save(`/v1/recordings/${encodeURIComponent(id)}/audio`, `${id}.${format}`);
  return el("li", { text: `${text} `, children: [button] });
}

async function save(path, name) {
  const answer = await ask(path);
  const link = el("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** The file, fetched with the token: a link can't carry one. */
$("packets").onclick = async (event) => {
  event.preventDefault();
  await save(address("/trace.pcapng"), `${CALL}.pcapng`);
};

// --- start -----------------------------------------------------------------------------------------------------------

async function refresh() {
  let live = false;
  try {
    const known = await (await ask(address(""))).json();
    live = known.live !== null || known.record === null;
    facts(known);
    await why();
    if (known.traced) await picture();
    say(live ? "on" : "off", live ? "live" : "");
  } catch (error) {
    if (error.status === 401 || error.status === 403) {
      fail(`${error.message}. ${SIGN_IN}`);
      return;
    }
    if (error.status === 404 && !shown.picture) {
      fail(error.message);
      return;
    }
    live = true; // the server may be away for a moment
    say("lost", "connection lost, trying again");
  }
  if (live) shown.timer = setTimeout(refresh, EVERY_MS);
}

function start() {
  clearTimeout(shown.timer);
  link.token = tokenOfTab();
  if (link.token) {
    $("pages").hidden = false;
    $("problem").hidden = true;
    refresh();
  } else {
    fail(SIGN_IN);
  }
}
window.addEventListener("hashchange", start);
start();
