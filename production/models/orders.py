"""What was ordered, by when, on which terms, and what was agreed to change."""

from decimal import Decimal
from urllib.parse import quote

import pgtrigger
from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.history import tracked
from factories.models import FIRST_DAY, LAST_DAY, Factory, WorkingCalendar
from production.marks import marks, sum_check
from production.models.products import BillOfMaterials, Material, Product, Site


class OfFactory(models.QuerySet):
    """Rows that carry `factory`: the one door for who may see them."""

    def visible_to(self, user):
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.reads_all_factories():
            return self
        if user.role == user.Role.CONTACT:
            return self.filter(factory__memberships__user=user)
        return self.none()


class LossBase(models.TextChoices):
    NET_ISSUED = "net_issued", "of the material consumed"
    THEORETICAL = "theoretical", "of the theoretical consumption"


def within_calendar(*names):
    """A condition: each named day is empty or lies between 2000 and 2049."""
    condition = Q()
    for name in names:
        condition &= Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": FIRST_DAY, f"{name}__lte": LAST_DAY})
    return condition


@tracked()
class PurchaseOrder(models.Model):
    """One purchase order to one factory."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="orders")
    number = models.CharField(max_length=60)
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator(r"^[A-Z]{3}$", "Use the three-letter currency code, for example USD.")],
    )
    ordered_on = models.DateField(null=True, blank=True)
    confirmed_on = models.DateField("confirmed by the factory on", null=True, blank=True)
    cycle_days = models.PositiveIntegerField("contract cycle in days", null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    loss_allowance = models.DecimalField(max_digits=9, decimal_places=6, default=Decimal("0.03"))
    loss_base = models.CharField(max_length=12, choices=LossBase, default=LossBase.NET_ISSUED)
    note = models.TextField(blank=True)
    is_demo = models.BooleanField(default=False, editable=False)

    objects = OfFactory.as_manager()

    class Meta:
        ordering = ["factory", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "number"],
                name="order_number_unique_in_factory",
                violation_error_message="This factory already has an order with that number.",
            ),
            models.UniqueConstraint(fields=["id", "factory"], name="order_carries_factory"),
            models.CheckConstraint(
                condition=Q(loss_allowance__gte=0, loss_allowance__lt=1),
                name="loss_allowance_is_a_fraction",
                violation_error_message="The loss allowance is a share between 0 and 1, for example 0.03.",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"),
                name="order_currency_is_iso",
                violation_error_message="Use the three-letter currency code, for example USD.",
            ),
            models.CheckConstraint(
                condition=within_calendar("ordered_on", "confirmed_on", "closed_on"),
                name="order_days_within_calendar",
                violation_error_message="Days must lie between 2000 and 2049.",
            ),
        ]
        indexes = [models.Index(fields=["closed_on"]), models.Index(fields=["number"])]
        triggers = marks(order="id")

    def __str__(self):
        return self.number

    def get_absolute_url(self):
        return f"/orders/{quote(self.factory.code)}/{quote(self.number)}/"


class GraceUnit(models.TextChoices):
    CALENDAR = "calendar", "calendar days"
    WORKING = "working", "working days"


class Outcome(models.TextChoices):
    OK = "ok", "counts as fine"
    MISS = "miss", "counts as a miss"


class Terms(models.Model):
    """The contract terms of a line: frozen when the order is confirmed (at import where no confirmation is known)."""

    grace_days = models.PositiveIntegerField(default=0)
    grace_unit = models.CharField(max_length=8, choices=GraceUnit, default=GraceUnit.CALENDAR)
    tol_under = models.DecimalField("tolerance under", max_digits=9, decimal_places=6, default=0)
    tol_over = models.DecimalField("tolerance over", max_digits=9, decimal_places=6, null=True, blank=True)
    over_policy = models.CharField(max_length=4, choices=Outcome, default=Outcome.OK)
    early_days = models.PositiveIntegerField(null=True, blank=True)
    early_policy = models.CharField(max_length=4, choices=Outcome, default=Outcome.OK)
    single_delivery = models.BooleanField(default=False)
    rolls_to_working_day = models.BooleanField("due day rolls to the next working day", default=False)
    calendar = models.ForeignKey(WorkingCalendar, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        abstract = True


TERM_FIELDS = [
    "grace_days", "grace_unit", "tol_under", "tol_over", "over_policy", "early_days", "early_policy", "single_delivery",
    "rolls_to_working_day", "calendar_id",
]  # fmt: skip


LINE_COVERS_CANCELLED = sum_check(
    "line_covers_cancelled",
    "update",
    "SELECT 1 FROM production_orderline WHERE id IN (SELECT id FROM {changed} AS c) ORDER BY id FOR UPDATE",
    "SELECT INTO broken max(problem) FROM (SELECT 'Cancelled ' || trim_scale(sum(c.quantity)) || ' is more than the ordered ' "
    "|| trim_scale(l.quantity) || '.' AS problem FROM production_cancellation c JOIN production_orderline l ON l.id = c.line_id "
    "WHERE c.line_id IN (SELECT id FROM {changed} AS t) "
    "GROUP BY l.id, l.quantity HAVING sum(c.quantity) > l.quantity) AS problems;",
)


class OrderLineQuerySet(OfFactory):
    def open(self):
        """Lines that still wait for goods."""
        return self.filter(outcome__is_open=True)

    def with_received(self):
        return self.annotate(
            received=models.functions.Coalesce(
                models.Sum("deliveries__quantity"), models.Value(0), output_field=models.DecimalField()
            )
        )


@tracked()
class OrderLine(Terms):
    """One article with one due day on a purchase order: the unit by which lateness is judged."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="lines")
    order = models.ForeignKey(PurchaseOrder, models.CASCADE, related_name="lines")
    number = models.CharField(max_length=40)
    product = models.ForeignKey(Product, models.PROTECT, related_name="lines")
    site = models.ForeignKey(Site, models.PROTECT, related_name="lines")
    bill = models.ForeignKey(BillOfMaterials, models.PROTECT, null=True, blank=True, related_name="order_lines")
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    unit_price = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    requested_on = models.DateField(null=True, blank=True)
    committed_on = models.DateField("first committed on", null=True, blank=True)
    forecast_on = models.DateField(null=True, blank=True)
    closed_short_on = models.DateField(null=True, blank=True)
    terms_frozen_on = models.DateField(null=True, blank=True)
    # Null, not empty: unique where there is one, and lines made by hand have none.
    source_key = models.CharField(max_length=160, null=True, blank=True, editable=False)  # noqa: DJ001
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = OrderLineQuerySet.as_manager()

    class Meta:
        ordering = ["order", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "number"],
                name="line_number_unique_in_order",
                violation_error_message="This order already has a line with that number.",
            ),
            models.UniqueConstraint(fields=["id", "factory"], name="line_carries_factory"),
            models.UniqueConstraint(fields=["source_key"], name="source_key_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0),
                name="ordered_quantity_is_positive",
                violation_error_message="The ordered quantity must be more than 0.",
            ),
            models.CheckConstraint(
                condition=Q(unit_price__isnull=True) | Q(unit_price__gte=0),
                name="unit_price_not_negative",
                violation_error_message="The unit price cannot be negative.",
            ),
            models.CheckConstraint(
                condition=Q(tol_under__gte=0, tol_under__lt=1) & (Q(tol_over__isnull=True) | Q(tol_over__gte=0)),
                name="tolerances_are_fractions",
                violation_error_message="A tolerance is a share such as 0.05.",
            ),
            models.CheckConstraint(
                condition=Q(calendar__isnull=False) | Q(grace_unit="calendar", rolls_to_working_day=False),
                name="working_day_terms_name_a_calendar",
                violation_error_message="Terms in working days need a calendar.",
            ),
            models.CheckConstraint(
                condition=Q(grace_days__lte=3650) & (Q(early_days__isnull=True) | Q(early_days__lte=3650)),
                name="terms_within_ten_years",
                violation_error_message="Grace and early days may be at most 3650.",
            ),
            models.CheckConstraint(
                condition=within_calendar("requested_on", "committed_on", "forecast_on", "closed_short_on"),
                name="line_days_within_calendar",
                violation_error_message="Days must lie between 2000 and 2049.",
            ),
        ]
        indexes = [models.Index(fields=["calendar"]), models.Index(fields=["factory", "committed_on"])]
        triggers = [
            *marks(line="id"),
            *LINE_COVERS_CANCELLED,
            pgtrigger.Trigger(
                name="first_commitment_is_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("committed_on", *TERM_FIELDS),
                condition=pgtrigger.Q(old__committed_on__isnull=False)
                & pgtrigger.Q(old__committed_on__df=pgtrigger.F("new__committed_on"))
                | pgtrigger.Q(old__terms_frozen_on__isnull=False)
                & (
                    pgtrigger.Q(old__grace_days__df=pgtrigger.F("new__grace_days"))
                    | pgtrigger.Q(old__grace_unit__df=pgtrigger.F("new__grace_unit"))
                    | pgtrigger.Q(old__tol_under__df=pgtrigger.F("new__tol_under"))
                    | pgtrigger.Q(old__tol_over__df=pgtrigger.F("new__tol_over"))
                    | pgtrigger.Q(old__over_policy__df=pgtrigger.F("new__over_policy"))
                    | pgtrigger.Q(old__early_days__df=pgtrigger.F("new__early_days"))
                    | pgtrigger.Q(old__early_policy__df=pgtrigger.F("new__early_policy"))
                    | pgtrigger.Q(old__single_delivery__df=pgtrigger.F("new__single_delivery"))
                    | pgtrigger.Q(old__rolls_to_working_day__df=pgtrigger.F("new__rolls_to_working_day"))
                    | pgtrigger.Q(old__calendar_id__df=pgtrigger.F("new__calendar_id"))
                ),
                func=pgtrigger.Func(
                    "IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NEW; END IF; "
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'first_commitment_is_frozen', "
                    "MESSAGE = 'The first committed day and the terms of a confirmed line are frozen. "
                    "Record a date revision instead.';"
                ),
            ),
        ]

    def __str__(self):
        return f"{self.order}/{self.number}"

    @property
    def code(self):
        return f"{self.order.number}/{self.number}"

    @property
    def promised_on(self):
        """The day the factory first committed to, else the day that was asked for; None if neither is known."""
        return self.committed_on or self.requested_on


class Party(models.TextChoices):
    BUYER = "buyer", "Buyer"
    FACTORY = "factory", "Factory"


CANCELLED_WITHIN_ORDERED = sum_check(
    "cancelled_within_ordered",
    "insert update",
    "SELECT 1 FROM production_orderline WHERE id IN (SELECT line_id FROM {changed} AS c) ORDER BY id FOR UPDATE",
    "SELECT INTO broken max(problem) FROM (SELECT 'Cancelled ' || trim_scale(sum(c.quantity)) || ' is more than the ordered ' "
    "|| trim_scale(l.quantity) || '.' AS problem FROM production_cancellation c JOIN production_orderline l ON l.id = c.line_id "
    "WHERE c.line_id IN (SELECT line_id FROM {changed} AS t) "
    "GROUP BY l.id, l.quantity HAVING sum(c.quantity) > l.quantity) AS problems;",
)


@tracked()
class Cancellation(models.Model):
    """One quantity of an order line that one side cancelled on one day."""

    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="cancellations")
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    cancelled_on = models.DateField()
    by = models.CharField(max_length=8, choices=Party)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["line", "cancelled_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0),
                name="cancelled_quantity_is_positive",
                violation_error_message="The cancelled quantity must be more than 0.",
            ),
            models.CheckConstraint(
                condition=within_calendar("cancelled_on"),
                name="cancellation_within_calendar",
                violation_error_message="The day must lie between 2000 and 2049.",
            ),
        ]
        triggers = [*marks(line="line_id"), *CANCELLED_WITHIN_ORDERED]

    def __str__(self):
        return f"{self.quantity} of {self.line} by the {self.by}"


@tracked()
class DateRevision(models.Model):
    """One request to move the due day of a line; counts from its approval, and only if the factory did not cause it."""

    class Cause(models.TextChoices):
        BUYER = "buyer", "Caused by us"
        FORCE_MAJEURE = "force_majeure", "Force majeure"
        FACTORY = "factory", "Caused by the factory"

    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="revisions")
    new_on = models.DateField("new day")
    cause = models.CharField(max_length=16, choices=Cause)
    reason = models.CharField(max_length=200, blank=True)
    asked_on = models.DateField(null=True, blank=True)
    approved_on = models.DateField(null=True, blank=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["line", "id"]
        constraints = [
            models.CheckConstraint(
                condition=within_calendar("new_on", "approved_on", "asked_on"),
                name="revision_within_calendar",
                violation_error_message="Days must lie between 2000 and 2049.",
            ),
        ]
        triggers = marks(line="line_id")

    def __str__(self):
        return f"{self.line} to {self.new_on}"


class OrderMaterialQuerySet(OfFactory):
    pass


@tracked()
class OrderMaterial(models.Model):
    """One material that the seller supplies for one order: what is reconciled when the order closes."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="+")
    order = models.ForeignKey(PurchaseOrder, models.CASCADE, related_name="materials")
    material = models.ForeignKey(Material, models.PROTECT, related_name="orders")
    currency = models.CharField("currency of the cost", max_length=3, default="USD")
    allowance = models.DecimalField(
        max_digits=9, decimal_places=6, null=True, blank=True, help_text="Empty: the allowance of the order."
    )
    loss_base = models.CharField(max_length=12, choices=LossBase, blank=True, help_text="Empty: the base of the order.")

    objects = OrderMaterialQuerySet.as_manager()

    class Meta:
        ordering = ["order", "material"]
        constraints = [
            models.UniqueConstraint(fields=["order", "material"], name="one_row_per_order_and_material"),
            models.UniqueConstraint(fields=["id", "factory"], name="order_material_carries_factory"),
            models.CheckConstraint(
                condition=Q(allowance__isnull=True) | Q(allowance__gte=0, allowance__lt=1),
                name="allowance_is_a_fraction",
                violation_error_message="The loss allowance is a share between 0 and 1, for example 0.03.",
            ),
        ]
        triggers = marks(material="id")

    def __str__(self):
        return f"{self.material} for {self.order}"
