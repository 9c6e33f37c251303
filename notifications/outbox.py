"""The outbox: write down what is owed in the caller's transaction, then hand it over, at least once.

`docs/outbox.md` says in prose what is promised and what is not.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from notifications.delivery import Answer, deliver
from notifications.models import Heartbeat, Message, SendAttempt

logger = logging.getLogger(__name__)

SEND_TASK = "notifications.tasks.send_due"
# A page that owes a message waits for the broker no longer than this: one try, a second to connect, one to answer.
IMPATIENT = {"max_retries": 0, "socket_connect_timeout": 1, "socket_timeout": 1}

# Seconds a claimed message belongs to its sender; at least twice EMAIL_TIMEOUT, so that a living sender is never
# overtaken. A sender that died is overtaken when it ends: that is the whole recovery.
LEASE = 60
# Seconds until the next try after the first, second, ... failure; the last one repeats.
BACKOFF = [10, 30, 60, 300, 900, 1800]
# When the server and not the recipient is the cause, tries stay this close, so that all is out soon after it is back.
SERVER_BACKOFF_LIMIT = 600
# Seconds in which nobody knocks after the server failed or asked for a rest.
REST = 10
# How long past the due moment a message is tried.
PATIENCE = timedelta(hours=72)


def draft(
    recipient: Any,
    kind: str,
    key: str,
    subject: str,
    text: str,
    html: str = "",
    thread: str | None = None,
    due_at: datetime | None = None,
    *,
    fallback: Any = None,
    address: str | None = None,
    fallback_for: Message | None = None,
) -> Message:
    """A message not yet written, for `owe_many`.

    `recipient` and `fallback` are users; `fallback` is told when the message cannot be delivered. `key` says which
    message this is: the same key to the same person is the same message. `address` pins the address (a notice to an
    address that was just given up); without it the mail goes where the person can be reached at the time of sending.
    """
    message = Message(
        recipient=recipient,
        address=(address or recipient.email)[:254],
        address_is_pinned=address is not None,
        kind=kind,
        key=key,
        # One line, or the mail library refuses it as an attempt to add headers.
        subject=" ".join(subject.split())[:250],
        text=text,
        html=html,
        thread=thread or "",
        fallback=fallback,
        fallback_for=fallback_for,
    )
    if due_at is not None:
        message.due_at = message.try_at = due_at
    return message


def owe(
    recipient: Any,
    kind: str,
    key: str,
    subject: str,
    text: str,
    html: str = "",
    thread: str | None = None,
    due_at: datetime | None = None,
    *,
    fallback: Any = None,
    address: str | None = None,
) -> None:
    """Owe one message. It stands or falls with the caller's transaction; writing it twice leaves one row."""
    owe_many([draft(recipient, kind, key, subject, text, html, thread, due_at, fallback=fallback, address=address)])


def owe_many(messages: Iterable[Message]) -> None:
    """Owe many messages made by `draft`, in one statement per 500."""
    # In one order everywhere: two transactions that owe the same keys wait for each other instead of deadlocking.
    rows = sorted(messages, key=lambda message: (message.recipient_id, message.key))
    if not rows:
        return
    Message.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    _nudge_after_commit()


def nudge() -> None:
    """Ask a worker to look now. Nothing is lost if nobody hears it: the sender also looks every minute."""
    try:
        with current_app.connection_for_write(transport_options=IMPATIENT) as broker:
            current_app.send_task(SEND_TASK, connection=broker, expires=55, retry=False, ignore_result=True)
    except OperationalError as problem:
        logger.warning("The sender was not nudged: %s", problem)


def _nudge_after_commit() -> None:
    """Once per transaction, however many messages it owes. Robust: no failure of the nudge reaches the caller."""
    # One that is still listed cannot be rolled back without what is written now.
    if not any(function is nudge for _, function, _ in connection.run_on_commit):
        transaction.on_commit(nudge, robust=True)


def send_due(
    limit: int | None = None, worker: str | None = None, seconds: float = 50, *, mark_first: bool = False
) -> Counter[str]:
    """Hand over what is due, one message at a time, and count the outcomes.

    Ends when nothing is due, after `limit` messages, when `seconds` are over, or when the mail server wants a rest.
    May run twice or in parallel: a message is in the hands of one sender at a time. `mark_first` is for one test
    only: it marks before sending, without a lease, and loses what is in hand when the sender dies.
    """
    worker = worker or f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    Heartbeat.objects.beat(Heartbeat.SENDER)
    ends = time.monotonic() + seconds
    outcomes: Counter[str] = Counter()
    while (limit is None or outcomes.total() < limit) and time.monotonic() < ends:
        attempt = claim(worker, mark_first=mark_first)
        if attempt is None:
            break
        answer = _unreachable(attempt.message) or deliver(attempt.message)
        record(attempt, answer)
        outcomes[answer.outcome.value] += 1
    return outcomes


def claim(worker: str, *, mark_first: bool = False) -> SendAttempt | None:
    """Take the next due message for this worker, and open its attempt. None: nothing is due, or the server rests."""
    with transaction.atomic(durable=True):
        if SendAttempt.objects.server_failed_within(REST).exists():
            return None
        message = Message.objects.due().select_for_update(skip_locked=True).first()
        if message is None:
            return None
        message.leased_by = worker
        message.attempts += 1
        if message.recipient is not None and not message.address_is_pinned:
            message.address = message.recipient.email
        mine = Message.objects.filter(pk=message.pk)
        mine.update(
            lease_until=Now() + timedelta(seconds=LEASE),
            leased_by=worker,
            attempts=F("attempts") + 1,
            address=message.address,
        )
        if mark_first:
            mine.update(state=Message.State.SENT, sent_at=Now())
        return SendAttempt.objects.create(message=message)


def record(attempt: SendAttempt, answer: Answer) -> None:
    """Write down what came of an attempt, and what follows for its message."""
    message = attempt.message
    with transaction.atomic(durable=True):
        SendAttempt.objects.filter(pk=attempt.pk).update(
            ended_at=Now(),
            outcome=answer.outcome,
            code=answer.code,
            text=answer.text,
            concerns_server=answer.concerns_server,
        )
        row = Message.objects.filter(pk=message.pk)
        if answer.outcome == SendAttempt.Outcome.SENT:
            # Whoever holds the lease by now: it has arrived.
            row.exclude(state=Message.State.SENT).update(
                state=Message.State.SENT, sent_at=Now(), lease_until=None, leased_by="", last_error=""
            )
            return
        mine = row.filter(state=Message.State.OWED, leased_by=message.leased_by)
        freed = {"lease_until": None, "leased_by": "", "last_error": f"{answer.code or ''} {answer.text}".strip()[:500]}
        hopeless = mine
        if answer.outcome != SendAttempt.Outcome.PERMANENT:
            hopeless = mine.filter(due_at__lte=Now() - PATIENCE)
        if hopeless.update(state=Message.State.UNDELIVERABLE, **freed):
            _tell_fallback(message, freed["last_error"])
        else:
            wait = wait_after(message.attempts, concerns_server=answer.concerns_server)
            mine.update(try_at=Now() + timedelta(seconds=wait * random.uniform(0.9, 1.1)), **freed)


def wait_after(attempts: int, *, concerns_server: bool) -> float:
    """Seconds until the next try after so many failed ones, before jitter."""
    wait = BACKOFF[min(attempts, len(BACKOFF)) - 1]
    return min(wait, SERVER_BACKOFF_LIMIT) if concerns_server else wait


def _unreachable(message: Message) -> Answer | None:
    """Mail with business in it does not follow people who have left; a pinned notice to an address does."""
    if message.address_is_pinned or (message.recipient is not None and message.recipient.is_active):
        return None
    return Answer(SendAttempt.Outcome.PERMANENT, text="The account is closed.")


def _tell_fallback(message: Message, reason: str) -> None:
    """Give the message to the second recipient, once. He has no second recipient himself, so this ends."""
    if message.fallback is None or message.fallback_id == message.recipient_id:
        return
    whom = message.recipient or message.address
    text = (
        f"This message could not be delivered to {whom} ({message.address}).\nReason: {reason}\n"
        f"You get it in their place.\n\n{message.subject}\n\n{message.text}"
    )
    subject = f"Not delivered to {whom}: {message.subject}"
    key = f"undeliverable/{message.pk}"
    owe_many([draft(message.fallback, "undeliverable", key, subject, text, fallback_for=message)])
