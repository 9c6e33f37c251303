"""What is worked out from a confirmed plan by itself, so that lists need not follow every plan. Never edited by hand."""

from django.db import models
from django.db.models import Q

from factories.models import Category, Factory
from production.models.orders import OfFactory, PurchaseOrder
from production.models.rollups import derived, subject


class PlanOutcome(models.Model):
    """Where one confirmed plan heads on any day from `known_on` on: to `earliest_on`, or to so many days after that day.

    It says nothing of the deliveries, which end a plan, too (`production.schedule.Outlook`).
    """

    order = subject(PurchaseOrder, "plan_outcome")
    factory = derived(Factory)
    planned_on = models.DateField(help_text="The planned end.")
    known_on = models.DateField(help_text="The day of the last fact.")
    earliest_on = models.DateField()
    days_to_go = models.IntegerField(null=True, help_text="Null once the end is reached.")
    slips_from_on = models.DateField(
        null=True, help_text="The first day from which its end is projected later than planned."
    )

    objects = OfFactory.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["slips_from_on"], include=["order"], condition=Q(slips_from_on__isnull=False),
                name="plan_outcome_slips",
            ),
            models.Index(fields=["known_on"]),
        ]  # fmt: skip


class TouchedPlan(models.Model):
    """One mark that a write left: the plan of this order has to be worked out again. Append-only, deleted by the worker."""

    order_id = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "touched plans"
        indexes = [models.Index(fields=["order_id"])]


class PastPlans(models.Model):
    """What became of the past orders of one category, counted on one day: how chances would have held, and who compares (CYC-7)."""

    category = models.OneToOneField(Category, models.CASCADE, primary_key=True, related_name="past_plans")
    counted_on = models.DateField()
    skill = models.DecimalField(max_digits=38, decimal_places=12, null=True, help_text="Null where nothing was tested.")
    chances = models.IntegerField()
    safe_days = models.IntegerField()
    safe_days_held = models.IntegerField()
    compared = models.JSONField(
        help_text="Milestone: its orders, as order, factory, days of slip, whether it was late."
    )

    class Meta:
        verbose_name_plural = "past plans"
