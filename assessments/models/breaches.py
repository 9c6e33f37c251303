"""Which limits are broken, since when, and who has them; and who is told."""

import datetime

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.history import tracked
from assessments.models.evaluations import Evaluation, Measure
from factories.models import Category, Factory
from production.models import LineOutcome, Lot, OrderMaterial, PurchaseOrder
from production.models.orders import OfFactory


class BreachQuerySet(OfFactory):
    def live(self):
        return self.filter(state__in=Breach.LIVE_STATES)

    def resolved(self):
        return self.filter(state__in=[Breach.State.RESOLVED, Breach.State.DISMISSED])

    def with_arrival(self):
        """`came_on` and `came_late`: when the last goods of a late order came and how many days late; else None."""
        lines = LineOutcome.objects.filter(order=models.OuterRef("order_id"))
        all_came = ~models.Exists(lines.open()) & Q(event=Breach.Event.LATE_ORDER)

        def most(name):
            found = lines.order_by().values("order").annotate(most=models.Max(name)).values("most")
            return models.Case(models.When(all_came, then=models.Subquery(found)))

        return self.annotate(came_on=most("completed_on"), came_late=most("days_late"))

    def worst_first(self):
        return self.order_by(models.Case(models.When(severity="breach", then=0), default=1), "-opened_at", "-id")

    def visible_to(self, user):
        return super().visible_to(user) if user.is_authenticated and user.sees_breaches() else self.none()


def _counts(name: str, operation: pgtrigger.Operation, rows: dict[str, int]) -> pgtrigger.Trigger:
    """Adds what a statement opened and takes what it closed: `rows` are the transition tables with their sign.

    Factories in order, so that two statements never wait for each other. What leaves the number as it is locks nothing.
    """
    live = "state IN ('open', 'acknowledged', 'escalated')"
    selects = " UNION ALL ".join(
        f"SELECT factory_id, {sign} AS n FROM {table} WHERE {live}" for table, sign in rows.items()
    )
    return pgtrigger.Trigger(
        name=f"count_{name}",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(**{table.partition("_")[0]: table for table in rows}),
        func=(
            f"INSERT INTO assessments_livebreaches AS b (factory_id, number) SELECT factory_id, sum(n) FROM ({selects}) AS changed "
            "GROUP BY factory_id HAVING sum(n) <> 0 ORDER BY factory_id "
            "ON CONFLICT (factory_id) DO UPDATE SET number = b.number + EXCLUDED.number; RETURN NULL;"
        ),
    )


@tracked()
class Breach(models.Model):
    """One limit that one factory broke, from the day it opened to the day it was resolved."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        ESCALATED = "escalated", "Escalated"
        RESOLVED = "resolved", "Resolved"
        DISMISSED = "dismissed", "Dismissed"

    LIVE_STATES = ["open", "acknowledged", "escalated"]
    judged_on: datetime.date | None = None  # the day of the latest evaluation, where it was asked for

    class Severity(models.TextChoices):
        WATCH = "watch", "Watch"
        BREACH = "breach", "Breach"

    class Event(models.TextChoices):
        RATE = "rate", "A rate beyond its limit"
        LATE_ORDER = "late_order", "A late order"
        CHARGE = "charge", "Material loss to be charged"
        CRITICAL_LOT = "critical_lot", "A lot with a critical defect"

    key = models.CharField(max_length=64, editable=False)
    factory = models.ForeignKey(Factory, models.CASCADE, related_name="breaches")
    category = models.ForeignKey(Category, models.SET_NULL, null=True, blank=True, related_name="+")
    event = models.CharField(max_length=12, choices=Event, default=Event.RATE)
    measure = models.CharField(max_length=6, choices=Measure)
    severity = models.CharField(max_length=6, choices=Severity)
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    order = models.ForeignKey(PurchaseOrder, models.CASCADE, null=True, blank=True, related_name="+")
    order_material = models.ForeignKey(OrderMaterial, models.CASCADE, null=True, blank=True, related_name="+")
    lot = models.ForeignKey(Lot, models.CASCADE, null=True, blank=True, related_name="+")
    value = models.DecimalField("badness when last judged", max_digits=18, decimal_places=12, null=True)
    limit = models.DecimalField(max_digits=18, decimal_places=12, null=True)
    opened_on = models.DateField()
    opened_at = models.DateTimeField(default=timezone.now)
    opened_by = models.ForeignKey(Evaluation, models.SET_NULL, null=True, blank=True, related_name="+")
    latest = models.ForeignKey(Evaluation, models.SET_NULL, null=True, blank=True, related_name="+")
    stepped_on = models.DateField("last night that counted", null=True, blank=True)
    evidence_on = models.DateField("last evidence that counted", null=True, blank=True)
    ok_streak = models.PositiveSmallIntegerField(default=0)
    flaps = models.PositiveSmallIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolved_on = models.DateField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    objects = BreachQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        verbose_name_plural = "breaches"
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=["open", "acknowledged", "escalated"]),
                name="one_live_breach_per_key",
                violation_error_message="This breach is already open.",
            )
        ]
        indexes = [models.Index(fields=["factory", "state"]), models.Index(fields=["key"])]
        triggers = [
            _counts("insert", pgtrigger.Insert, {"new_values": 1}),
            _counts("update", pgtrigger.Update, {"old_values": -1, "new_values": 1}),
            _counts("delete", pgtrigger.Delete, {"old_values": -1}),
            pgtrigger.Trigger(
                name="count_truncate",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Truncate,
                func="DELETE FROM assessments_livebreaches; RETURN NULL;",
            ),
        ]

    def __str__(self):
        return self.code

    @property
    def code(self):
        return f"B-{self.pk}"

    @property
    def is_live(self):
        return self.state in self.LIVE_STATES

    def get_absolute_url(self):
        return f"/breaches/{self.code}/"


class LiveBreaches(models.Model):
    """How many breaches of a factory are live, kept by triggers: a list of factories does not count tens of thousands."""

    factory_id = models.BigIntegerField(primary_key=True)
    number = models.IntegerField()

    class Meta:
        verbose_name_plural = "live breaches"


class BreachStep(models.Model):
    """One thing that happened to a breach, in order. Append-only."""

    breach = models.ForeignKey(Breach, models.CASCADE, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    on = models.DateField(help_text="The business day.")
    what = models.CharField(max_length=20)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    value = models.DecimalField(max_digits=18, decimal_places=12, null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]
        triggers = [
            pgtrigger.Protect(
                name="append_only",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__by_id__isnull=True) | pgtrigger.Q(new__by_id__isnull=False),
            )
        ]

    def __str__(self):
        return f"{self.breach} {self.what}"


@tracked()
class Watch(models.Model):
    """One person who is told about breaches of one factory, or of all of them."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="watches")
    factory = models.ForeignKey(
        Factory, models.CASCADE, null=True, blank=True, related_name="watches", help_text="Empty: every factory."
    )

    class Meta:
        verbose_name_plural = "watches"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "factory"],
                nulls_distinct=False,
                name="one_watch",
                violation_error_message="This person already watches that.",
            )
        ]

    def __str__(self):
        return f"{self.user} watches {self.factory or 'every factory'}"


class JobSlot(models.Model):
    """One slot of one scheduled job that was done: the same slot is never done twice."""

    job = models.CharField(max_length=40)
    slot = models.CharField(max_length=40)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    rows = models.IntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="one_run_per_slot")]

    def __str__(self):
        return f"{self.job} {self.slot}"
