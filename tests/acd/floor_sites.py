"""The floors of `floor_machine`: everything that a site may have, at once, and what a reload may make of it."""

from __future__ import annotations

from typing import Any

from config.schema import Site

AGENTS: dict[str, dict[str, Any]] = {
    "ann": {"extension": "101", "skills": {"asia": 8, "french": 1}, "wrap_up_s": 0, "channels": {"call": 1, "chat": 2}},
    "bob": {"extension": "102", "skills": {"asia": 3, "french": 5}, "queues": {"all": 1, "kin": 2, "ring": 1}},
    "cy": {"extension": "102", "skills": {"french": 9}, "weight": 5},  # shares a phone with bob
    "dee": {"contact": "sip:dee@192.0.2.1", "skills": {"asia": 6, "french": 2}, "login": "always"},
    "eve": {"extension": "104", "skills": {"asia": 5}, "queues": {"kin": 1, "back": 1, "steps": 3},
            "channels": {"call": 1, "callback": 0, "chat": 1, "mail": 1}},
    "fay": {"code": "77", "skills": {"asia": 2, "french": 2}},  # sits wherever a phone is free
    "gus": {"extension": "106", "nailed_up": True, "skills": {"asia": 4}, "channels": {"call": 1, "mail": 2}},
    "hal": {"code": "78", "skills": {"french": 4}, "channels": {"chat": 3, "mail": 1}},  # takes no calls
}
_CALLBACK = {"ring_s": 20, "retries": 1, "retry_after_s": 30, "keep_s": 600, "most": 3}
QUEUES: dict[str, dict[str, Any]] = {
    "all": {"ring_s": 5, "wrap_up_s": 5, "max_wait_s": 8, "overflow": "queue kin", "strategy": "round robin"},
    "steps": {"needs": "asia >= 8", "value_weight": 0.1, "ring_s": 10, "wrap_up_s": 20, "max_wait_s": 60,
              "relax": [{"after_s": 10, "needs": "asia >= 5"}, {"after_s": 25, "needs": "asia or french"}],
              "strategy": "most skilled", "dispositions": ["sold", "lost"], "disposition_needed": True},
    "kin": {"needs": "skill(call.destination) >= 2", "prefer": {"wait_s": 12, "last_agent_days": 1}, "ring_s": 8,
            "strategy": "fewest calls", "resume_s": 40, "priority": 20},
    "lent": {"agents": ["ann"], "borrow": {"when": "waiting >= 2 or ewt > 15s", "agents_of": ["kin", "all"]},
             "strategy": "least occupied", "max_wait_s": 90, "leave": [{"when": "waited > 40s", "to": "queue all"}]},
    "ring": {"strategy": "ring all", "ring_s": 6, "max_wait_s": 30, "wrap_up_s": 0, "resume_s": 10},
    "more": {"strategy": "ring progressively", "ring_another_s": 3, "ring_s": 9, "wrap_up_s": 0, "priority": 5,
             "leave": [{"when": "ewt > 40s", "to": "queue all"}]},
    "pairs": {"assign": "together", "needs": "asia or french", "strategy": "weighted", "emergency": "queue all"},
    "back": {"needs": "asia", "callback": {**_CALLBACK, "order": "agent first"}, "ring_s": 7, "wrap_up_s": 3},
    "back2": {"callback": {**_CALLBACK, "order": "customer first"}, "resume_s": 20, "max_wait_s": 50,
              "strategy": "random", "enter": [{"when": "waiting >= 4", "to": "queue all"}], "closed": "queue all"},
}  # fmt: skip
SITES: list[dict[str, Any]] = [
    {"agents": AGENTS, "queues": QUEUES},
    {"agents": {name: agent for name, agent in AGENTS.items() if name not in ("ann", "fay")}, "queues": QUEUES,
     "acd": {"not_answered": {"no_answer": "rest", "unregistered": "not ready"}, "not_ready_reasons": ["lunch"],
             "interrupts": {"call": ["mail"], "chat": ["call", "chat", "mail"], "mail": []}}},
    {"agents": {**AGENTS, "bob": {"extension": "103", "skills": {"asia": 9}}, "gil": {"extension": "105"},
                "ann": {"extension": "101", "nailed_up": True, "channels": {"call": 1, "chat": 1}},
                "gus": {"extension": "106"}},
     "queues": {name: queue for name, queue in QUEUES.items() if name not in ("back", "steps", "all")} |
               {"all": {"strategy": "ring all", "wrap_up_s": 0}}},
    {"agents": dict(reversed(AGENTS.items())),
     "queues": QUEUES | {"kin": {"needs": "french", "strategy": "top down"}, "back2": {"max_wait_s": 5},
                         "ring": {"strategy": "least talk time", "assign": "together"}}},
]  # fmt: skip
NAMES = [*AGENTS, "gil"]
EXTENSIONS = ["101", "102", "103", "104", "105", "106", "999"]
CALLERS = ["", "+491701", "+491702", "+491703"]
DESTINATIONS = ["asia", "french", "none"]


def site(number: int) -> Site:
    return Site.model_validate({"site": "t", "listen": {"sip": ["udp:127.0.0.1:5060"]}, **SITES[number]})
