"""The outbox: write down what is owed in the caller's transaction, then hand it over, at least once.

`docs/outbox.md` says in prose what is promised and what is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import connection, transaction

from notifications.models import Message

SEND_TASK = "notifications.tasks.send_due"


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
    current_app.send_task(SEND_TASK, expires=55, retry=False, ignore_result=True)


def _nudge_after_commit() -> None:
    """Once per transaction, however many messages it owes; a broker that is down costs the caller one log line."""
    here = set(connection.savepoint_ids)
    if any(function is nudge and savepoints <= here for savepoints, function, _ in connection.run_on_commit):
        return
    transaction.on_commit(nudge, robust=True)
