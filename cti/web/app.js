// The page at "/": signing in; the floor for supervisors, a desktop for agents.
"use strict";

const view = () => (link.who.role === "agent" ? desktop : floor);

function receive(message) {
  switch (message.type) {
    case "hello":
      show(message.role === "agent" ? "desktop" : "floor");
      break;
    case "reply":
      if (!message.ok) {
        notice(problemText(message.problem), true);
        delete $("own-queues").dataset.shows; // what was ticked in vain is shown as it is
      }
      if (link.who.role === "agent") desktop.state(message.agent ?? desktop.agent);
      break;
    default:
      view().receive(message);
  }
}

/** An agent's command for himself. */
function command(name, more = {}) {
  notice("");
  if (link.socket.readyState === WebSocket.OPEN) {
    link.socket.send(JSON.stringify({ command: name, id: ++link.command, ...more }));
  } else {
    notice("not connected: try again in a moment", true);
  }
}

function show(id) {
  for (const name of ["sign-in", "floor", "desktop"]) $(name).hidden = name !== id;
  $("leave").hidden = id === "sign-in";
}

function signOut(why = "") {
  sessionStorage.clear();
  hangUp();
  desktop.clear();
  floor.clear();
  $("token").value = "";
  $("sign-in-error").textContent = why;
  show("sign-in");
}

function signIn(token) {
  sessionStorage.setItem("token", token);
  listen(token, { receive, refused: signOut });
}

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
