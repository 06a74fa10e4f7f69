"""baresip in a child process: `python -m bench.softphones.baresip FD HOST PORT [HEADER ...]`.

PCM goes in and out of Python: each call sends a sine (or silence) and keeps the last seconds it heard, in which
frequencies are looked for. HEADERs of an INVITE received are passed on; baresip shows no others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import baresip
import numpy as np

from bench.softphones.channel import TRACE, Channel, Lines
from bench.softphones.tones import Samples, level_dbfs, sine, tone_share

_TURN_S = 0.02
_AHEAD_S = 0.2  # how much sound is handed to baresip in advance: what a busy machine may oversleep
_KEPT_S = 4.0
_TRIES, _AGAIN_S = 100, 0.1
_RTP_PORTS = "10000-19998"


class _Call:
    """One call and its sound."""

    def __init__(self, call: baresip.Call, number: int, tone_hz: float | None) -> None:
        self.call, self.number, self.tone_hz = call, number, tone_hz
        self._written = 0
        self._heard: Samples = np.zeros(0, np.int16)
        self.rate_hz = 8000
        self.samples_heard = 0

    def turn(self) -> None:
        """Feed and read the streams once; between calls' renegotiations there may be none."""
        try:
            info = self.call.audio.info()
            if info.tx_ready and self.tone_hz:
                self._send(info.tx_sample_rate, info.tx_buffered // 2)
            if info.rx_ready:
                self.rate_hz = info.rx_sample_rate
                self._hear(np.frombuffer(self.call.audio.read(info.rx_buffered or 2), np.int16))
        except (baresip.AudioNotActive, baresip.AudioRestarted):
            return

    def _send(self, rate_hz: int, buffered: int) -> None:
        missing = int(_AHEAD_S * rate_hz) - buffered
        if missing > 0 and self.tone_hz:
            taken = self.call.audio.write(sine(self.tone_hz, rate_hz, self._written, missing).tobytes())
            self._written += taken // 2

    def _hear(self, samples: Samples) -> None:
        self.samples_heard += len(samples)
        self._heard = np.concatenate((self._heard, samples))[-int(_KEPT_S * self.rate_hz) :]

    def last(self, window_s: float, ago_s: float = 0.0) -> Samples:
        end = len(self._heard) - int(ago_s * self.rate_hz)
        return self._heard[max(0, end - int(window_s * self.rate_hz)) : max(0, end)]


class Agent:
    """The runtime, its accounts and calls, and the commands."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._runtime = baresip.Runtime(command_timeout=8)
        self._accounts: dict[str, baresip.UserAgent] = {}
        self._settings: dict[str, dict[str, Any]] = {}
        self._calls: dict[int, _Call] = {}
        self._by_handle: dict[int, int] = {}
        self._strays: deque[baresip.StackEvent] = deque(maxlen=64)
        self._numbers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = asyncio.Event()

    async def run(self, host: str, port: int, expose: tuple[str, ...]) -> None:
        config = baresip.Config(
            net_interface=host,
            expose_headers=expose,
            max_concurrent_calls=None,
            native_log_level="debug" if TRACE else "error",
            sip_trace=TRACE,
            extra_config_text=f"sip_listen {host}:{port}\nrtp_ports {_RTP_PORTS}\n",
        )
        await self._runtime.start(config)
        self._runtime.subscribe(self._on_event)
        loop = asyncio.get_running_loop()
        lines = Lines()
        os.set_blocking(0, False)
        loop.add_reader(0, self._readable, lines)
        sound = loop.create_task(self._sound())
        self.channel.event("started", port=port)
        await self._end.wait()
        loop.remove_reader(0)
        sound.cancel()
        for call in list(self._calls.values()):
            await self._quietly(call.call.hangup())
        for _ in range(20):  # let the BYEs be answered
            if not self._calls:
                break
            await asyncio.sleep(0.05)
        for name, account in self._accounts.items():
            if self._settings[name]["registered"]:
                await self._quietly(account.unregister(timeout=2))
        await self._runtime.close()

    def _readable(self, lines: Lines) -> None:
        data = os.read(0, 65536)
        if not data:
            self._end.set()
        for message in lines.feed(data):
            self._spawn(self._handle(message))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Awaitable[None]) -> None:
        try:
            await work
        except baresip.BaresipError:  # gone already
            pass

    async def _patiently(self, do: Callable[[], Awaitable[None]]) -> None:
        """baresip changes nothing while a session refresh is on its way: it says so, and to try again."""
        for _ in range(_TRIES):
            try:
                return await do()
            except baresip.StaleHandleError:  # gone already
                return None
            except baresip.BaresipError as error:
                if "retry shortly" not in str(error):
                    raise
            await asyncio.sleep(_AGAIN_S)
        raise TimeoutError("a session refresh stays on its way")

    async def _handle(self, message: dict[str, Any]) -> None:
        command, verb = message.pop("id"), message.pop("do")
        handler: Callable[..., Awaitable[dict[str, Any] | None]] = getattr(self, f"do_{verb}")
        try:
            self.channel.answer(command, await handler(**message))
        except Exception as error:  # whatever baresip says is the tester's to read
            self.channel.refuse(command, f"{type(error).__name__}: {error}")

    async def _sound(self) -> None:
        while True:
            for call in list(self._calls.values()):
                call.turn()
            await asyncio.sleep(_TURN_S)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _adopt(self, name: str, call: baresip.Call) -> _Call:
        self._numbers += 1
        number = self._numbers
        adopted = self._calls[number] = _Call(call, number, self._settings[name]["tone_hz"])
        self._by_handle[call.handle] = number
        for event in [event for event in self._strays if event.call == call.handle]:
            self._on_event(event)
        return adopted

    def _on_event(self, event: baresip.StackEvent) -> None:
        """Everything the stack reports. A call refused at once is over before `dial` has told its handle: a stray."""
        kinds = baresip.Event
        number = self._by_handle.get(event.call)
        if number is None:
            if event.call and event.event is not kinds.CALL_INCOMING:
                self._strays.append(event)
            return
        if event.event in (kinds.CALL_RINGING, kinds.CALL_PROGRESS):
            self.channel.event("ringing", call=number, status=180 if event.event is kinds.CALL_RINGING else 183)
        elif event.event is kinds.CALL_ESTABLISHED:
            self.channel.event("established", call=number, status=200)
        elif event.event is kinds.CALL_DTMF_START:
            self.channel.event("digit", call=number, digit=event.text)
        elif event.event in (kinds.CALL_HOLD, kinds.CALL_RESUME):
            held = event.event is kinds.CALL_HOLD
            self.channel.event("media", call=number, held=held, active=not held)
        elif event.event is kinds.CALL_CLOSED:
            self._calls.pop(number, None)
            del self._by_handle[event.call]
            status, _, reason = (event.text or "").partition(" ")
            known = status.isdigit()
            self.channel.event(
                "ended", call=number, status=int(status) if known else 200, reason=reason if known else event.text or ""
            )

    def _incoming(self, name: str, call: baresip.Call) -> None:
        at = time.time()
        adopted = self._adopt(name, call)
        facts = {"uri": "", "source": call.peer or "", "headers": call.headers}
        self.channel.event("incoming", account=name, call=adopted.number, arrived_at=at, **facts)
        policy = self._settings[name]["policy"]
        if "reject" in policy:
            self._spawn(self._quietly(call.reject()))
        elif "after_ms" in policy:
            self._spawn(self._answer_later(call, policy["after_ms"] / 1000))

    async def _answer_later(self, call: baresip.Call, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._quietly(call.answer())

    # --- commands -----------------------------------------------------------------------------------------------------

    async def do_account(self, name: str, user: str, server: str, password: str, **more: Any) -> None:
        account = baresip.Account(
            user=user,
            domain=server.partition(":")[0] if server == "none" else server,
            password=password,
            auth_user=more.get("login"),
            reg_interval=0 if server == "none" else int(more.get("expires_s", 300)),
            transport=more.get("transport", "udp"),
            audio_codecs=tuple(more.get("codecs", ("pcmu", "pcma"))),
        )
        if server == "none":
            account.domain = "127.0.0.1"
        agent = await baresip.UserAgent.create(self._runtime, account)
        self._settings[name] = {
            "tone_hz": more.get("tone_hz"),
            "policy": more.get("policy", {}),
            "registered": False,
        }
        agent.on_incoming(lambda call: self._incoming(name, call))
        self._accounts[name] = agent

    async def do_remove(self, account: str) -> None:
        """baresip keeps its user agents until the end; what goes is the registration and the answering."""
        if self._settings[account]["registered"]:
            await self.do_unregister(account)
        self._settings[account]["policy"] = {"reject": 486}

    async def do_policy(self, account: str, policy: dict[str, Any]) -> None:
        self._settings[account]["policy"] = policy

    async def do_register(self, account: str) -> dict[str, Any]:
        try:
            await self._accounts[account].register()
        except baresip.RegistrationError as error:
            if not error.status:
                raise
            return {"status": error.status, "reason": error.reason or ""}
        self._settings[account]["registered"] = True
        return {"status": 200, "reason": "OK"}

    async def do_unregister(self, account: str) -> dict[str, Any]:
        self._settings[account]["registered"] = False
        await self._accounts[account].unregister()
        return {"status": 200, "reason": "OK"}

    async def do_call(self, account: str, to: str, headers: dict[str, str]) -> dict[str, Any]:
        call = await self._accounts[account].dial(to, headers=headers)
        return {"call": self._adopt(account, call).number}

    async def do_answer(self, call: int, status: int) -> None:
        if status < 300:
            await self._calls[call].call.answer()
        elif status == 486:
            await self._calls[call].call.reject()
        else:
            raise ValueError("baresip refuses with 486 only")

    async def do_hang_up(self, call: int) -> None:
        if call in self._calls:
            await self._quietly(self._calls[call].call.hangup())

    async def do_digits(self, call: int, digits: str) -> None:
        await self._calls[call].call.send_dtmf(digits)

    async def do_hold(self, call: int, held: bool) -> None:
        target = self._calls[call].call
        await self._patiently(target.hold if held else target.resume)

    async def do_transfer(self, call: int, to: str) -> None:
        await self._patiently(partial(self._calls[call].call.transfer, to))

    async def do_transfer_to(self, call: int, other: int) -> None:
        await self._patiently(partial(self._calls[call].call.attended_transfer, self._calls[other].call))

    async def do_tone(self, call: int, tone_hz: float | None) -> None:
        self._calls[call].tone_hz = tone_hz

    async def do_hear(
        self, call: int, tone_hz: float | None, within_s: float, window_s: float, share: float, level: float,
        back_s: float,
    ) -> dict[str, Any]:  # fmt: skip
        """Look for a window that holds the tone (or, without one, any sound), from `back_s` ago, and wait for one; the
        best one seen if none does."""
        target, start, ago_s = self._calls[call], time.monotonic(), back_s
        best = {"heard": False, "share": 0.0, "level_dbfs": -100.0, "after_s": within_s}
        while True:
            samples = target.last(window_s, ago_s)
            if len(samples) >= window_s * target.rate_hz:
                loud = level_dbfs(samples)
                found = tone_share(samples, tone_hz, target.rate_hz) if tone_hz else 1.0
                if (found, loud) > (best["share"], best["level_dbfs"]):
                    best.update(share=round(found, 3), level_dbfs=round(loud, 1))
                if found >= share and loud >= level:
                    after = round(time.monotonic() - start, 3)
                    return {"heard": True, "share": round(found, 3), "level_dbfs": round(loud, 1), "after_s": after}
            if ago_s > 0:
                ago_s = max(0.0, ago_s - _TURN_S)
                continue
            if time.monotonic() - start > within_s or call not in self._calls:
                return best
            await asyncio.sleep(_TURN_S)

    async def do_levels(self, call: int) -> dict[str, Any]:
        target = self._calls[call]
        return {"received": round(level_dbfs(target.last(0.2)), 1), "samples": target.samples_heard}

    async def do_end(self) -> None:
        self._end.set()


def main() -> None:
    descriptor, host, port, *expose = sys.argv[1:]
    channel = Channel(int(descriptor))
    os.dup2(2 if TRACE else os.open(os.devnull, os.O_WRONLY), 1)
    if TRACE:
        logging.basicConfig(level=logging.DEBUG)
    asyncio.run(Agent(channel).run(host, int(port), tuple(expose)))


if __name__ == "__main__":
    main()
