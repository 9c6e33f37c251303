"""One mail to one recipient: build it, hand it to the mail server, and read what the answer means."""

from __future__ import annotations

import logging
import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends import smtp
from django.core.validators import validate_email

from notifications.models import Message, SendAttempt

logger = logging.getLogger(__name__)

Outcome = SendAttempt.Outcome
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
# "Not so fast": from whatever command they come, they speak of the server and not of the recipient.
THROTTLED = {421, 432}
# Codes of the 5xx class that tell of our account: a wrong password is mended by us, the recipient is as good as before.
OUR_ACCOUNT = {530, 534, 535, 538}


@dataclass(frozen=True)
class Answer:
    """What came of one try. `concerns_server`: the next recipient would fare no better now."""

    outcome: Outcome
    code: int | None = None
    text: str = ""
    concerns_server: bool = False


@dataclass
class Progress:
    """How far one SMTP conversation came, and when it must be over (monotonic seconds)."""

    deadline: float
    recipient_was_named: bool = False
    body_was_asked_for: bool = False
    was_accepted: bool = False

    def remaining(self) -> float:
        return self.deadline - time.monotonic()


class TimedConversation:
    """Mixed into smtplib's client: keeps the whole conversation, not each step, within the time, and notes progress."""

    def __init__(self, *args: Any, progress: Progress, **options: Any) -> None:
        self.progress = progress
        super().__init__(*args, **options)

    def getreply(self) -> tuple[int, bytes]:
        remaining = self.progress.remaining()
        if remaining <= 0:
            self.close()  # type: ignore[attr-defined]
            raise smtplib.SMTPServerDisconnected("The mail server did not answer in time.")
        if self.sock is not None:  # type: ignore[attr-defined]
            self.sock.settimeout(remaining)  # type: ignore[attr-defined]
        code, text = super().getreply()  # type: ignore[misc]
        if code == 354:
            self.progress.body_was_asked_for = True
        return code, text

    def rcpt(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        self.progress.recipient_was_named = True
        return super().rcpt(*args, **options)  # type: ignore[misc]

    def data(self, msg: bytes | str) -> tuple[int, bytes]:
        code, text = super().data(msg)  # type: ignore[misc]
        self.progress.was_accepted = code == 250
        return code, text


class Conversation(TimedConversation, smtplib.SMTP):
    pass


class EncryptedConversation(TimedConversation, smtplib.SMTP_SSL):
    pass


class TimedBackend(smtp.EmailBackend):
    """Django's SMTP backend, one conversation per object, that tells how far it came."""

    def __init__(self, progress: Progress, **options: Any) -> None:
        super().__init__(**options)
        self.progress = progress

    @property
    def connection_class(self) -> Callable[..., Any]:
        return partial(EncryptedConversation if self.use_ssl else Conversation, progress=self.progress)


def build(message: Message) -> EmailMultiAlternatives:
    """The mail: text first, HTML as its alternative, the same Message-ID at every try."""
    headers = {
        "Message-ID": message.message_id,
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{settings.SITE_URL}/account/notifications/>",
    }
    opener = message.opener()
    if opener is not None:
        headers["In-Reply-To"] = headers["References"] = opener.message_id
    mail = EmailMultiAlternatives(message.subject, message.text, to=[message.address], headers=headers)
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    return mail


def deliver(message: Message) -> Answer:
    """Hand the message to the mail server, in at most EMAIL_TIMEOUT seconds. Never raises for what a server may do."""
    try:
        validate_email(message.address)
    except ValidationError:
        return Answer(Outcome.PERMANENT, text="This is not an e-mail address.")
    seconds = settings.EMAIL_TIMEOUT or 20
    progress = Progress(deadline=time.monotonic() + seconds)
    try:
        mail = build(message)
        if settings.EMAIL_BACKEND == SMTP_BACKEND:
            mail.connection = TimedBackend(progress, timeout=seconds)
        else:
            mail.connection = get_connection()
        sent = mail.send()
    except Exception as error:
        # Whatever follows the 250, such as a QUIT without an answer, does not make a second copy.
        if progress.was_accepted:
            return Answer(Outcome.SENT, 250)
        return judge(error, progress)
    return Answer(Outcome.SENT, 250) if sent else Answer(Outcome.TEMPORARY, text="The mail backend sent nothing.")


def judge(error: Exception, progress: Progress) -> Answer:
    """What a failed conversation means. Refused for good is only what a server says of this recipient or message."""
    code, text = _said(error)
    foreseen = isinstance(error, (OSError, smtplib.SMTPException))
    if not foreseen:
        logger.error("A message could not be built or sent", exc_info=error)
    if code is None and progress.body_was_asked_for:
        return Answer(Outcome.UNCERTAIN, text=text)
    if not foreseen:
        return Answer(Outcome.TEMPORARY, text=text)
    concerns_server = not progress.recipient_was_named or code in THROTTLED or code in OUR_ACCOUNT
    if not concerns_server and code is not None and 500 <= code < 600:
        return Answer(Outcome.PERMANENT, code, text)
    return Answer(Outcome.TEMPORARY, code, text, concerns_server)


def _said(error: Exception) -> tuple[int | None, str]:
    code: int | None = None
    text: str | bytes = f"{type(error).__name__}: {error}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    # PostgreSQL takes no NUL.
    return code, text.replace("\x00", "")[:500]
