"""What is owed to whom, each try to hand it over, and whether the jobs are alive."""

import hashlib
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class MessageQuerySet(models.QuerySet):
    def visible_to(self, user):
        """A person sees the messages to himself, and no others, whatever his role."""
        return self.filter(recipient=user) if user.is_authenticated else self.none()

    def owed(self):
        return self.filter(state=Message.State.OWED)

    def claimable(self):
        """Neither handed over nor in the hands of a living sender. The database's clock decides."""
        return self.owed().filter(models.Q(lease_until=None) | models.Q(lease_until__lte=Now()))

    def due(self):
        return self.claimable().filter(try_at__lte=Now()).order_by("try_at", "id")

    def oldest_owed(self):
        """The message that has waited longest past its due moment, or None."""
        return self.owed().filter(due_at__lte=Now()).order_by("due_at", "id").first()

    def newest_first(self):
        return self.order_by("-id")

    def older_than(self, message_id):
        return self.filter(id__lt=message_id)

    def requeue(self):
        """Owe again, from now, what was given up or waits for its next try. Returns how many."""
        waiting = models.Q(state=Message.State.OWED, lease_until=None) | models.Q(state=Message.State.UNDELIVERABLE)
        return self.filter(waiting).update(
            state=Message.State.OWED, due_at=Now(), try_at=Now(), lease_until=None, leased_by="", attempts=0
        )


class Message(models.Model):
    """One mail owed to one person."""

    class State(models.TextChoices):
        OWED = "owed", "Owed"
        SENT = "sent", "Sent"
        UNDELIVERABLE = "undeliverable", "Undeliverable"

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="messages", db_index=False
    )
    # Where the mail goes, and later where it went. It is read anew from the recipient at every try, so that a
    # corrected address saves what is still owed; a pinned address (a notice to the old address) never changes.
    address = models.CharField(max_length=254)
    address_is_pinned = models.BooleanField(default=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    thread = models.CharField(max_length=200, blank=True, default="")
    subject = models.CharField(max_length=250)
    text = models.TextField()
    html = models.TextField(blank=True, default="")
    fallback = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    fallback_for = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="fallbacks")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # due_at is the promise and stays; try_at moves away with every failure.
    due_at = models.DateTimeField(db_default=Now())
    try_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True, blank=True)
    leased_by = models.CharField(max_length=80, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=13, choices=State, default=State.OWED)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recipient", "key"], name="one_message_per_recipient_and_key"),
            models.CheckConstraint(
                condition=models.Q(state="sent", sent_at__isnull=False)
                | models.Q(state__in=["owed", "undeliverable"], sent_at__isnull=True),
                name="a_sent_message_has_its_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["try_at", "id"], name="message_due", condition=models.Q(state="owed")),
            models.Index(fields=["due_at"], name="message_owed_since", condition=models.Q(state="owed")),
            models.Index(fields=["recipient", "id"], name="message_of_recipient"),
            models.Index(fields=["recipient", "thread", "id"], name="message_thread", condition=~models.Q(thread="")),
        ]

    def __str__(self):
        return f"{self.subject} ({self.address})"

    @property
    def message_id(self):
        """The Message-ID header: the same at every try, and never that of another message, even after a restore."""
        seed = f"{self.kind}|{self.key}|{self.created_at.timestamp():.6f}"
        host = urlsplit(settings.SITE_URL).hostname or "localhost"
        return f"<{self.pk}.{hashlib.sha256(seed.encode()).hexdigest()[:20]}@{host}>"

    def opener(self):
        """The first message of the same thread to the same person, or None if this is the first."""
        if not self.thread or not self.recipient_id:
            return None
        thread = Message.objects.filter(recipient_id=self.recipient_id, thread=self.thread)
        return thread.older_than(self.pk).order_by("id").first()


class SendAttemptQuerySet(models.QuerySet):
    def server_failed_within(self, seconds):
        """Tries of the last seconds after which the mail server, not one recipient, wants a rest."""
        return self.filter(concerns_server=True, ended_at__gt=Now() - timedelta(seconds=seconds))


class SendAttempt(models.Model):
    """One try to hand one message to the mail server."""

    class Outcome(models.TextChoices):
        SENT = "sent", "Sent"
        TEMPORARY = "temporary", "Failed, tried again later"
        PERMANENT = "permanent", "Refused for good"
        UNCERTAIN = "uncertain", "No answer; it may have arrived"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="send_attempts")
    at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    # Written as uncertain when the message is claimed: if the sender dies, that is what is known.
    outcome = models.CharField(max_length=9, choices=Outcome, default=Outcome.UNCERTAIN)
    code = models.SmallIntegerField(null=True, blank=True)
    text = models.CharField(max_length=500, blank=True, default="")
    concerns_server = models.BooleanField(default=False)

    objects = SendAttemptQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["ended_at"], name="server_failures", condition=models.Q(concerns_server=True))]

    def __str__(self):
        return f"{self.get_outcome_display()} {self.code or ''}".strip()


class HeartbeatQuerySet(models.QuerySet):
    def beat(self, name, note=""):
        """Write down that the job of this name runs now."""
        self.bulk_create(
            [Heartbeat(name=name, at=Now(), note=note[:200])],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["at", "note"],
        )


class Heartbeat(models.Model):
    """When one job last ran."""

    EVALUATOR = "evaluator"
    SENDER = "sender"

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField(db_default=Now())
    note = models.CharField(max_length=200, blank=True, default="")

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self):
        return self.name
