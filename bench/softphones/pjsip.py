"""PJSIP in a child process: `python -m bench.softphones.pjsip FD HOST PORT`. See README.md for why it has one thread.

PJSIP's objects are held by `Agent` and dropped only between two turns of its event loop: an object that dies inside its
own callback, or after `libDestroy`, aborts the process.
"""

from __future__ import annotations

import functools
import heapq
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

from bench.softphones.channel import TRACE, Channel, Lines
from bench.softphones.pjsip_native import event_loop, set_media_address

_UNHOLD = 1  # PJSUA_CALL_UNHOLD
_RTP_FIRST = 33000  # each process starts elsewhere; a port in use is stepped over
_LOOP_MS = 5
_SETTLE_S = 0.15  # after a re-INVITE PJSIP may send an UPDATE to settle on one codec, and takes nothing else before
_END_S = 2.0


def _headers(message: str) -> dict[str, str]:
    head = message.partition("\r\n\r\n")[0].split("\r\n")[1:]
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in head)}


def _param(status: int = 0) -> pj.CallOpParam:
    param = pj.CallOpParam(True)
    if status:
        param.statusCode = pj.StatusCode(status)
    return param


class _Call(pj.Call):
    """One call; its number is ours, PJSIP's ids are reused."""

    def __init__(self, agent: Agent, account: _Account, number: int, pj_id: int = -1) -> None:
        super().__init__(account, pj_id)
        self._agent, self.account, self.number = agent, account, number
        self.ended = False
        self.waiting: int | None = None  # the command that waits for the answer to our re-INVITE

    def audio(self) -> pj.AudioMedia | None:
        for index, media in enumerate(self.info.media):
            if media.type == pj.MediaType.AUDIO and media.status in (
                pj.CallMediaStatus.ACTIVE,
                pj.CallMediaStatus.REMOTE_HOLD,
            ):
                return self.getAudioMedia(index)
        return None

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.info
        facts: dict[str, Any] = {"call": self.number, "status": int(info.lastStatusCode)}
        if info.state == pj.InvState.EARLY and info.role == pj.Role.UAC:
            self._agent.channel.event("ringing", **facts)
        elif info.state == pj.InvState.CONFIRMED:
            self._agent.channel.event("established", **facts)
        elif info.state == pj.InvState.DISCONNECTED and not self.ended:
            self.ended = True
            self._agent.channel.event("ended", reason=info.lastReason, **facts)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        statuses = [media.status for media in self.info.media if media.type == pj.MediaType.AUDIO]
        held = pj.CallMediaStatus.REMOTE_HOLD in statuses
        self._agent.channel.event("media", call=self.number, held=held, active=pj.CallMediaStatus.ACTIVE in statuses)
        audio = self.audio()
        if audio is not None:  # a level is measured only of what somebody listens to: the null device does
            audio.startTransmit(audio if self.account.loops else self._agent.null_device)

    def onCallTsxState(self, prm: pj.OnCallTsxStateParam) -> None:
        transaction = prm.e.body.tsxState.tsx
        if self.waiting is None or transaction.method != "INVITE" or transaction.role != pj.Role.UAC:
            return
        over = transaction.state in (pj.TsxState.COMPLETED, pj.TsxState.TERMINATED)
        if over and transaction.statusCode not in (401, 407):
            answer = functools.partial(self._agent.channel.answer, self.waiting, {"status": transaction.statusCode})
            self._agent.later(_SETTLE_S, answer)
            self.waiting = None

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:
        self._agent.channel.event("transfer", call=self.number, status=int(prm.statusCode), reason=prm.reason)

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:
        self._agent.channel.event("digit", call=self.number, digit=prm.digit)


class _Account(pj.Account):
    """One account: how it answers and whether it loops sound back."""

    def __init__(self, agent: Agent, name: str, server: str, transport: str) -> None:
        super().__init__()
        self._agent, self.name, self.server, self.transport = agent, name, server, transport
        self.loops = False
        self.policy: dict[str, Any] = {}
        self.waiting: int | None = None  # the command that waits for the registrar's answer

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        status = int(prm.code)
        self._agent.channel.event("registration", account=self.name, status=status, expires_s=prm.expiration)
        if self.waiting is not None:
            self._agent.channel.answer(self.waiting, {"status": status, "reason": prm.reason})
            self.waiting = None

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        at = time.time()
        call = self._agent.adopt(self, prm.callId)
        message = prm.rdata.wholeMsg
        self._agent.channel.event(
            "incoming",
            account=self.name,
            call=call.number,
            arrived_at=at,
            uri=message.split(" ", 2)[1],
            source=prm.rdata.srcAddress,
            headers=_headers(message),
        )
        if "reject" in self.policy:
            call.answer(_param(int(self.policy["reject"])))
            return
        call.answer(_param(180))
        if "after_ms" in self.policy:
            self._agent.later(self.policy["after_ms"] / 1000, lambda: self._agent.answer(call))


class Agent:
    """The endpoint, its accounts and calls, and the commands."""

    def __init__(self, channel: Channel, host: str, port: int) -> None:
        self.channel, self.host = channel, host
        self._accounts: dict[str, _Account] = {}
        self._calls: dict[int, _Call] = {}
        self._numbers = 0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._open = True
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        config = pj.EpConfig()
        config.logConfig.level = config.logConfig.consoleLevel = 5 if TRACE else 0
        config.uaConfig.threadCnt = 0
        config.uaConfig.maxCalls = 16
        media = config.medConfig
        media.threadCnt, media.hasIoqueue = 0, False  # RTP is read in our thread too: see README.md
        media.noVad, media.ecTailLen, media.clockRate = True, 0, 8000
        self._endpoint.libInit(config)
        self._transports: dict[str, int] = {}
        for name, kind in (("udp", pj.TransportType.UDP), ("tcp", pj.TransportType.TCP)):
            transport = pj.TransportConfig()
            transport.boundAddress, transport.port = host, port
            self._transports[name] = self._endpoint.transportCreate(kind, transport)
        self._endpoint.libStart()
        self._endpoint.audDevManager.setNullDev()
        self.null_device = self._endpoint.audDevManager.playbackDevMedia
        local = self._endpoint.transportGetInfo(self._transports["udp"]).localName
        self.port = int(local.rpartition(":")[2])

    # --- what happens -------------------------------------------------------------------------------------------------

    def adopt(self, account: _Account, pj_id: int) -> _Call:
        self._numbers += 1
        call = self._calls[self._numbers] = _Call(self, account, self._numbers, pj_id)
        return call

    def answer(self, call: _Call, status: int = 200) -> None:
        if not call.ended:
            call.answer(_param(status))

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._timers, (time.monotonic() + delay_s, self._numbers, callback))

    # --- commands -----------------------------------------------------------------------------------------------------

    def do_account(self, command: int, name: str, user: str, server: str, password: str, **more: Any) -> None:
        transport = more.get("transport", "udp")
        suffix = ";transport=tcp" if transport == "tcp" else ""
        config = pj.AccountConfig()
        host = self.host if server == "none" else server.partition(":")[0]
        config.idUri = f"sip:{user}@{host}" if not more.get("display") else f'"{more["display"]}" <sip:{user}@{host}>'
        config.regConfig.registrarUri = f"sip:{server}{suffix}" if server != "none" else ""
        config.regConfig.registerOnAdd = False
        config.regConfig.retryIntervalSec = 0
        config.regConfig.timeoutSec = int(more.get("expires_s", 300))
        config.sipConfig.transportId = self._transports[transport]
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", more.get("login") or user, 0, password))
        account = _Account(self, name, server, transport)
        account.loops = bool(more.get("loops"))
        account.policy = more.get("policy", {})
        account.create(config)
        set_media_address(account.id, self.host, _RTP_FIRST + os.getpid() % 50 * 400)
        self._accounts[name] = account
        self.channel.answer(command)

    def do_remove(self, command: int, account: str) -> None:
        self._accounts.pop(account).shutdown()
        self.channel.answer(command)

    def do_policy(self, command: int, account: str, policy: dict[str, Any]) -> None:
        self._accounts[account].policy = policy
        self.channel.answer(command)

    def do_register(self, command: int, account: str) -> None:
        self._accounts[account].waiting = command
        self._accounts[account].setRegistration(True)

    def do_unregister(self, command: int, account: str) -> None:
        self._accounts[account].waiting = command
        self._accounts[account].setRegistration(False)

    def do_call(self, command: int, account: str, to: str, headers: dict[str, str]) -> None:
        call = self.adopt(self._accounts[account], -1)
        param = _param()
        for name, value in headers.items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            param.txOption.headers.append(header)
        self.channel.answer(command, {"call": call.number})  # before any event of the call
        suffix = ";transport=tcp" if call.account.transport == "tcp" else ""
        try:
            call.makeCall(to + suffix, param)
        except RuntimeError as error:
            if not call.ended:
                call.ended = True
                self.channel.event("ended", call=call.number, status=500, reason=str(error))

    def do_answer(self, command: int, call: int, status: int) -> None:
        self.answer(self._calls[call], status)
        self.channel.answer(command)

    def do_hang_up(self, command: int, call: int) -> None:
        found = self._calls.get(call)
        if found is not None and not found.ended:
            found.hangup(_param())
        self.channel.answer(command)

    def do_digits(self, command: int, call: int, digits: str) -> None:
        self._calls[call].dialDtmf(digits)
        self.channel.answer(command)

    def do_hold(self, command: int, call: int, held: bool) -> None:
        """Answered with the peer's status once the re-INVITE is over: PJSIP refuses a second one before that."""
        param, target = _param(), self._calls[call]
        if held:
            target.setHold(param)
        else:
            param.opt.flag = _UNHOLD
            target.reinvite(param)
        target.waiting = command

    def do_update(self, command: int, call: int) -> None:
        self._calls[call].update(_param())
        self.channel.answer(command)

    def do_transfer(self, command: int, call: int, to: str) -> None:
        self._calls[call].xfer(to, _param())
        self.channel.answer(command)

    def do_transfer_to(self, command: int, call: int, other: int) -> None:
        self._calls[call].xferReplaces(self._calls[other], _param())
        self.channel.answer(command)

    def do_levels(self, command: int, call: int) -> None:
        """PJSIP counts from the conference bridge's side: `tx` is what the call transmits into the bridge."""
        audio = self._calls[call].audio()
        levels = {"received": 0, "sent": 0} if audio is None else {"received": audio.txLevel, "sent": audio.rxLevel}
        self.channel.answer(command, levels)

    def do_end(self, command: int) -> None:
        self._open = False

    # --- the loop -----------------------------------------------------------------------------------------------------

    def handle(self, message: dict[str, Any]) -> None:
        command, verb = message.pop("id"), message.pop("do")
        try:
            getattr(self, f"do_{verb}")(command, **message)
        except Exception as error:  # whatever PJSIP says is the tester's to read
            self.channel.refuse(command, re.sub(r"\s+", " ", f"{type(error).__name__}: {error}"))

    def run(self) -> None:
        pump, lines = event_loop(), Lines()
        os.set_blocking(0, False)
        while self._open:
            pump(_LOOP_MS)
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()
            for number in [number for number, call in self._calls.items() if call.ended]:
                del self._calls[number]
            try:
                data = os.read(0, 65536)
            except BlockingIOError:
                continue
            if not data:
                break
            for message in lines.feed(data):
                self.handle(message)
        self._end(pump)

    def _end(self, pump: Callable[[int], int]) -> None:
        """Calls, then accounts, then the library: the only order PJSIP survives."""
        self._endpoint.hangupAllCalls()
        deadline = time.monotonic() + _END_S
        while any(not call.ended for call in self._calls.values()) and time.monotonic() < deadline:
            pump(_LOOP_MS)
        self._calls.clear()
        self._timers.clear()
        for account in self._accounts.values():
            account.shutdown()
        self._accounts.clear()
        del self.null_device
        self._endpoint.libDestroy()


def main() -> None:
    descriptor, host, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    channel = Channel(descriptor)
    os.dup2(2 if TRACE else os.open(os.devnull, os.O_WRONLY), 1)  # PJSIP prints while it is created
    agent = Agent(channel, host, port)
    channel.event("started", port=agent.port)
    agent.run()


if __name__ == "__main__":
    main()
