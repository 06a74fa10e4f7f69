// The wall board at "/wall-board": what the queues do now and did today, large enough to be read from afar.
"use strict";

const STALE_MS = 15000;
let heard = 0;

const count = (value) => String(value ?? 0);

function receive(message) {
  if (message.type !== "statistics") return;
  heard = Date.now();
  say("on", "live");
  show(message.queues);
}

function show(queues) {
  $("empty").hidden = queues.length > 0;
  $("empty").textContent = "This site has no queues.";
  $("totals").replaceChildren(...totals(queues));
  $("queues").replaceChildren(...queues.map(card));
}

function totals(queues) {
  const sum = (of) => queues.reduce((total, queue) => total + (of(queue) || 0), 0);
  const today = (name) => sum((queue) => queue.today?.[name]);
  const counted = today("answered") + today("abandoned") - today("abandoned_short") + today("overflowed");
  const tile = (text, value) => el("div", { class: "tile", children: [el("b", { text: value }), el("span", { text })] });
  return [
    tile("waiting", sum((queue) => queue.waiting)),
    tile("longest wait", time(Math.max(0, ...queues.map((queue) => queue.longest_wait_s)))),
    tile("answered today", today("answered")),
    tile("abandoned today", today("abandoned")),
    tile("in time today", counted > 0 ? share(today("answered_in_time") / counted) : "–"),
  ];
}

/** How the queue does against its target: good, low, bad; calm while nobody called. */
function mood(queue) {
  const level = queue.service_level;
  if (typeof level !== "number") return "calm";
  return level >= queue.service_level_target ? "good" : level >= queue.service_level_target - 0.2 ? "low" : "bad";
}

const facts = (entries) => el("dl", { children: entries.flatMap(([key, value]) => [el("dt", { text: key }), el("dd", { text: value })]) });

/** Callbacks, chats and mails that wait. */
function others(channels = {}) {
  const waiting = Object.entries(channels).filter(([, one]) => one.waiting > 0);
  return waiting.length > 0 && el("p", { class: "others", children: waiting.map(([channel, one]) =>
    el("span", { class: "tag", text: `${one.waiting} ${channel}${one.waiting > 1 ? "s" : ""}, ${time(one.longest_wait_s)}` })) });
}

function card(queue) {
  const today = queue.today || {}, quarter = queue.quarter || {};
  const late = queue.longest_wait_s > queue.service_level_within_s;
  const level = queue.service_level;
  return el("article", { class: "card", "data-mood": mood(queue), "data-queue": queue.name, children: [
    el("header", { children: [el("h2", { text: queue.name })] }),
    el("div", { class: "big", children: [
      el("span", { class: "waiting", "data-alarm": late ? "" : null, text: count(queue.waiting) }),
      el("small", { text: "waiting" }),
      facts([["longest wait", time(queue.longest_wait_s)], ["expected wait", time(queue.expected_wait_s)]]),
    ] }),
    others(queue.other_channels),
    el("div", { class: "level", children: [
      el("progress", { max: 1, value: typeof level === "number" ? level : 0, "aria-label": "service level" }),
      el("span", { children: [
        el("b", { text: share(level) }),
        el("i", { text: `in ${queue.service_level_within_s} s, target ${share(queue.service_level_target)}` }),
      ] }),
    ] }),
    el("div", { class: "sides", children: [
      el("section", { children: [el("h3", { text: "Agents" }), facts([
        ["available", count(queue.agents?.available)], ["at work", count(queue.agents?.at_work)],
        ["on duty", count(queue.agents?.on_duty)], ["logged in", count(queue.agents?.logged_in)],
      ])] }),
      el("section", { children: [el("h3", { text: "Today" }), facts([
        ["answered", count(today.answered)], ["abandoned", count(today.abandoned)],
        ["mean wait", time(quarter.asa_s ?? today.asa_s)], ["handle time", time(quarter.aht_s ?? today.aht_s)],
      ])] }),
    ] }),
  ] });
}

setInterval(() => {
  $("time").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (heard && Date.now() - heard > STALE_MS) say("lost", "no figures for a while");
}, 1000);

supervise("statistics", receive);
