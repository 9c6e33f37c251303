"""A mail server for tests that can also misbehave: refuse, stall, or cut the line."""

import asyncio
import email
import email.policy
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's, a line for every word of the conversation

STAGES = ("EHLO", "MAIL", "RCPT", "DATA", "END")  # END: the whole message has been sent, the answer is due


@dataclass
class Received:
    """One message as the server took it."""

    sender: str
    recipients: list[str]
    message: email.message.EmailMessage

    @property
    def subject(self):
        return self.message["Subject"]

    @property
    def message_id(self):
        return self.message["Message-ID"]

    @property
    def body(self):
        return self.message.get_body(("plain", "html")).get_content()


class MailServer:
    """An SMTP server on a free loopback port. `messages` holds what it answered with 250.

    server.answer(451, "try later")                  every RCPT gets that answer
    server.answer(554, "no", at="END")               ... or the end of DATA, or EHLO, MAIL, DATA
    server.answer(550, "unknown", to="a@b.example")  ... only for that recipient
    server.hang(at="END")                            says nothing at that stage until `behave` or `stop`
    server.cut(at="END")                             drops the connection at that stage; `unanswered` keeps the message
    server.answer(451, "greylisted", once=True)      any of these can be for one time only
    server.require("user", "password")               takes mail only after signing in
    server.slowness = 0.01                           seconds before and after it takes a message
    server.behave()                                  takes everything again
    """

    def __init__(self):
        self.messages, self.unanswered, self.connections = [], [], 0
        self.faults, self.only_once = {}, set()
        self.account, self.slowness = None, 0
        self.port = free_port()
        self._released = None
        self._controller = _Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=10)

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    def start(self):
        self._controller.start()

    def stop(self):
        self.behave()
        self._controller.stop()

    def answer(self, code, text="not now", *, at="RCPT", to=None, once=False):
        self._fault(at, to, f"{code} {text}", once)

    def hang(self, *, at="END", to=None, once=False):
        self._fault(at, to, "hang", once)

    def cut(self, *, at="END", to=None, once=False):
        self._fault(at, to, "cut", once)

    def require(self, user, password):
        self.account = (user.encode(), password.encode())

    def behave(self):
        self.faults.clear()
        self.only_once.clear()
        self.account = None
        released, self._released = self._released, None
        if released is not None:
            with suppress(RuntimeError):
                self._controller.loop.call_soon_threadsafe(released.set)

    def _fault(self, at, to, what, once):
        if at not in STAGES:
            raise ValueError(f"{at} is none of {', '.join(STAGES)}")
        self.faults[at, to] = what
        if once:
            self.only_once.add((at, to))

    async def at(self, stage, server, recipients=()):
        """What to answer at this stage, or None to go on as usual."""
        key = next(((stage, to) for to in [*recipients, None] if (stage, to) in self.faults), None)
        fault = self.faults.get(key)
        if key in self.only_once:
            self.only_once.discard(key)
            del self.faults[key]
        if fault == "hang":
            self._released = self._released or asyncio.Event()
            await self._released.wait()
            return None
        if fault == "cut":
            server.transport.abort()
            return "421 cut"
        return fault


class _Handler:
    def __init__(self, owner):
        self.owner = owner

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.owner.connections += 1
        session.host_name = hostname
        fault = await self.owner.at("EHLO", server)
        return [fault] if fault else responses

    async def handle_HELO(self, server, session, envelope, hostname):
        session.host_name = hostname
        return await self.owner.at("EHLO", server) or f"250 {server.hostname}"

    async def handle_MAIL(self, server, session, envelope, address, options):
        if fault := await self.owner.at("MAIL", server):
            return fault
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if fault := await self.owner.at("RCPT", server, [address]):
            return fault
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        received = Received(envelope.mail_from, list(envelope.rcpt_tos), message)
        await asyncio.sleep(self.owner.slowness)
        if fault := await self.owner.at("END", server, envelope.rcpt_tos):
            self.owner.unanswered.append(received)
            return fault
        self.owner.messages.append(received)
        await asyncio.sleep(self.owner.slowness)
        return "250 OK"


class _Server(SMTP):
    async def smtp_DATA(self, arg):
        if fault := await self.event_handler.owner.at("DATA", self, self.envelope.rcpt_tos):
            await self.push(fault)
        else:
            await super().smtp_DATA(arg)


class _Controller(Controller):
    def __init__(self, owner, **options):
        super().__init__(_Handler(owner), **options)

    def factory(self):
        account = self.handler.owner.account
        return _Server(
            self.handler,
            enable_SMTPUTF8=True,
            timeout=120,
            auth_required=account is not None,
            auth_require_tls=False,
            authenticator=lambda server, session, envelope, mechanism, given: AuthResult(
                success=(given.login, given.password) == account, handled=False
            ),
        )


def free_port():
    """A free loopback port below the range from which outgoing connections take theirs."""
    for port in Random().sample(range(20000, 32000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 20000 and 32000")
