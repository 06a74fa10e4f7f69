// The page at "/statistics": figures of a span of time, by queue and channel, by skill, by agent, by state of a flow; live while it lasts.
"use strict";

const EVERY_MS = 5000;
const spent = (value) => (typeof value === "number" ? clock(value) : "–");
const plain = (value) => value ?? "–";
const counts = (value) => Object.entries(value || {}).map(([name, n]) => `${name} ${n}`).join(", ");

/** Columns: the figure's name, its head, how it is shown, what it means. */
const CALLS = [
  ["offered", "Offered", plain, "calls that came"], ["answered", "Answered", plain, "an agent and the caller heard each other"],
  ["service_level", "In time", share, "answered in time, of those answered, lost or sent on"], ["abandoned", "Abandoned", plain, "hung up while waiting"],
  ["overflowed", "Sent on", plain, "to elsewhere, by a rule, a key or somebody"], ["turned_away", "Closed", plain, "came while the queue was closed"],
  ["called_back", "Callback", plain, "gave up the place on the line for a callback"], ["missed", "Missed", plain, "offers that an agent did not take"],
  ["asa_s", "Mean wait", spent, "of the answered"], ["longest_wait_s", "Longest", spent, "wait that ended"],
  ["talk_s", "Talk", spent, "mean of the completed"], ["wrap_up_s", "Wrap-up", spent, "mean of the completed"], ["aht_s", "Handling", spent, "talk and wrap-up"],
  ["transferred", "Given on", plain, "by the agent"], ["dispositions", "Ended as", counts, "dispositions noted"],
];
const AGENTS = [
  ["offers", "Offers", plain, "calls offered"], ["answered", "Answered", plain, "of these"], ["no_answer", "No answer", plain, "the phone rang in vain"],
  ["rejected", "Rejected", plain, "by the agent"], ["completed", "Completed", plain, "conversations that ended"], ["transferred", "Given on", plain, "of these"],
  ["talk_s", "Talk", spent, "mean of the completed"], ["aht_s", "Handling", spent, "talk and wrap-up"], ["occupancy", "Occupied", share, "time at work, of the time ready or at work"],
  ["logged_in_s", "Logged in", spent, ""], ["ready_s", "Ready", spent, ""], ["busy_s", "Talking", spent, ""], ["wrap_up_s", "Noting", spent, ""],
  ["not_ready_s", "Not ready", spent, ""], ["dispositions", "Ended as", counts, "dispositions noted"],
];
const STATES = [
  ["entered", "Came", plain, "callers came to the state"], ["left", "Went on", plain, "to another state, a queue, a number"],
  ["hung_up", "Hung up", plain, "there, or the call was lost"], ["ended", "Ended", plain, "the flow hung up"],
  ["inputs", "Inputs", plain, "keys, right or wrong"], ["no_match", "Wrong", plain, "inputs of no use: a key that the menu has not, too few keys"],
  ["no_input", "Silences", plain, "times that no key came"], ["unmatched_share", "Wrong at last", share, "of those who went on or were hung up by the flow: the last input was wrong"],
  ["silent_share", "Silent at last", share, "of those who went on or were hung up by the flow: no key came at last"], ["spent_s", "Time", spent, "mean time there"],
];
let shown = [];

const asked = () => {
  const query = new URLSearchParams({ by: $("by").value, step: $("step").value, from: fromTyped($("from").value) });
  if ($("to").value) query.set("to", fromTyped($("to").value));
  if ($("name").value.trim()) query.set("name", $("name").value.trim());
  return query;
};

const refresh = soon(async () => {
  if (!$("from").value) return;
  try {
    const query = asked();
    const { rows: found } = await get(`/v1/statistics?${query}`);
    if (String(query) !== String(asked())) return refresh(); // another question meanwhile
    notice("");
    show(found);
  } catch (error) {
    if (error.status) notice(error.message, true);
  }
}, 100);

supervise("statistics", (message) => {
  if (message.type === "hello") refresh();
});
setInterval(() => link.who && !$("to").value && refresh(), EVERY_MS);

function show(found) {
  shown = found;
  const columns = ({ agent: AGENTS, ivr: STATES }[$("by").value] ?? CALLS).filter(([key]) => found.some((row) => key === "dispositions" ? counts(row[key]) : row[key] !== undefined));
  const dated = found.some((row) => row.start !== undefined);
  const mixed = found.some((row) => (row.channel ?? "call") !== "call");
  const first = [dated && "When", { queue: "Queue", skill: "Skill", agent: "Agent", ivr: "State" }[$("by").value], mixed && "Channel"].filter(Boolean);
  const whose = (row) => [dated && moment(row.start), row.name, mixed && row.channel].filter((text) => text !== false);
  $("none").hidden = found.length > 0;
  $("head").parentElement.hidden = found.length === 0;
  $("head").replaceChildren(el("tr", { children: [...first.map((text) => el("th", { text })), ...columns.map(([, text, , title]) => el("th", { text, title, class: "n" }))] }));
  $("rows").replaceChildren(...found.map((row) => el("tr", { children: [
    ...whose(row).map((text) => el("td", { text })),
    ...columns.map(([key, , shows]) => el("td", { text: shows(row[key]), class: "n", title: key === "not_ready_s" ? reasons(row) : null })),
  ] })));
  if ($("name").value === "" && changed($("names"), [...new Set(found.map((row) => row.name))])) {
    $("names").replaceChildren(...[...new Set(found.map((row) => row.name))].map((name) => el("option", { value: name })));
  }
}

const reasons = ({ not_ready_by_reason_s: by = {} }) => Object.entries(by).map(([reason, s]) => `${reason || "no reason"}: ${clock(s)}`).join("\n");

/** What is shown, as a table of the raw figures. */
$("save").onclick = () => {
  const keys = [...new Set(shown.flatMap((row) => Object.keys(row)))].filter((key) => typeof shown[0][key] !== "object" || shown[0][key] === null);
  const quoted = (value) => (/[",\n]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  const text = [keys, ...shown.map((row) => keys.map((key) => row[key]))].map((line) => line.map(quoted).join(",")).join("\r\n");
  const file = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${$("by").value}s.csv` });
  file.click();
  URL.revokeObjectURL(file.href);
};

$("from").value = typed(new Date().setHours(0, 0, 0, 0) / 1000);
$("by").onchange = () => {
  $("name").value = "";
  delete $("names").dataset.shows;
  refresh();
};
for (const id of ["from", "to", "step", "name"]) $(id).onchange = refresh;
$("span").onsubmit = (event) => event.preventDefault();
