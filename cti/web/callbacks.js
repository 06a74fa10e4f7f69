// The page at "/callbacks": customers who are to be called; ask for a call, put it off, cancel it.
"use strict";

const CALLBACK_STATES = {
  SCHEDULED: "later", QUEUED: "in line", RESERVED: "an agent has it", DIALLING: "ringing", REACHED: "on the line", CONNECTED: "talking",
};
const MAY_WAIT = ["SCHEDULED", "QUEUED"];
const WAITS = ["QUEUED", "RESERVED", "DIALLING", "REACHED"];

const refresh = soon(async () => {
  try {
    const [{ callbacks, left_off }, { queues }] = await Promise.all([get("/v1/callbacks?limit=500"), get("/v1/queues")]);
    show(callbacks, left_off);
    const offering = queues.filter((q) => q.callback).map((q) => q.name);
    if (changed($("queue"), offering)) $("queue").replaceChildren(...offering.map((name) => el("option", { text: name, value: name })));
    for (const field of $("ask").elements) field.disabled = offering.length === 0;
    if (!offering.length) notice("No queue of this site offers callbacks.", false, $("ask-notice"));
  } catch (error) {
    if (error.status) notice(error.message, true); // that the server is away, the socket tells
  }
}, 150);

supervise("queues", (message) => {
  if (message.type !== "reply") refresh();
});
setInterval(() => link.who && refresh(), 30_000); // who is put off comes into line without a word

function show(callbacks, left_off) {
  $("count").textContent = callbacks.length + left_off || "";
  $("none").hidden = callbacks.length > 0;
  keyed($("callbacks"), callbacks, (one) => one.id, () => el("tr"), showOne);
}

function showOne(row, one) {
  if (!changed(row, one)) return;
  const { id, number: phone, queue, state, due_at, waiting_since, attempts, last_outcome, agent, call_id, attributes } = one;
  const cell = (label, children, kind) => el("td", { "data-label": label, class: kind, children });
  const text = (label, content, kind) => cell(label, [el("span", { text: content })], kind);
  row.replaceChildren(
    cell("Customer", [
      el("b", { text: attributes.customer || phone }), attributes.customer && el("span", { class: "muted", text: phone }),
      typeof attributes.basket === "number" && el("span", { class: "tag", text: money(attributes.basket) }),
    ], "who-cell"),
    text("Queue", queue), text("State", CALLBACK_STATES[state] || words(state)), text("Not before", moment(due_at)),
    cell("Waits", [WAITS.includes(state) ? since(waiting_since) : el("span", { text: "–" })], "n"),
    text("Tried", attempts ? `${attempts} × ${last_outcome ? words(last_outcome) : ""}` : "–"),
    cell("Agent", [call_id ? el("a", { href: `/calls/${of(call_id)}`, text: agent || "call" }) : el("span", { text: agent || "–" })]),
    cell("", [el("div", { class: "actions", children: actions(id, state, due_at) })]),
  );
}

/** What makes sense with it now. */
function actions(id, state, due_at) {
  const path = `/v1/callbacks/${of(id)}`;
  const when = el("input", { type: "datetime-local", value: typed(Math.max(due_at, serverNow())), required: "", "aria-label": "Call not before" });
  const later = el("form", { children: [when, el("button", { text: "Put off", class: "quiet small" })], onsubmit: (event) => {
    event.preventDefault();
    act(path, { method: "PUT", body: { at: fromTyped(when.value) } });
  } });
  const cancel = dangerous("Cancel", () => act(path, { method: "DELETE" }));
  cancel.classList.add("small");
  return [MAY_WAIT.includes(state) && later, state !== "CONNECTED" && cancel].filter(Boolean);
}

async function act(path, request, said = $("notice")) {
  notice("", false, said);
  try {
    await ask(path, request);
    return true;
  } catch (error) {
    notice(error.message, true, said);
    return false;
  } finally {
    refresh();
  }
}

$("ask").onsubmit = async (event) => {
  event.preventDefault();
  const body = { queue: $("queue").value, number: $("number").value.trim() };
  if ($("at").value) body.at = fromTyped($("at").value);
  if (await act("/v1/callbacks", { method: "POST", body }, $("ask-notice"))) {
    notice(`${body.number} will be called.`, false, $("ask-notice"));
    $("number").value = $("at").value = "";
  }
};
