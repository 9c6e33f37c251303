"""What arrived, and in which lots."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.history import tracked
from factories.models import Factory
from production.marks import marks, sum_check
from production.models.orders import OfFactory, OrderLine, within_calendar
from production.models.products import Site


@tracked()
class Lot(models.Model):
    """One quantity of one order line that is inspected as a whole: one delivery, unless its code joins several."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="lots")
    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="lots")
    code = models.CharField(max_length=60)
    quantity = models.DecimalField("lot quantity, where known", max_digits=18, decimal_places=6, null=True, blank=True)

    objects = OfFactory.as_manager()

    class Meta:
        ordering = ["factory", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "code"],
                name="lot_code_unique_in_factory",
                violation_error_message="This factory already has a lot with that code.",
            ),
            models.UniqueConstraint(fields=["id", "factory"], name="lot_carries_factory"),
            models.UniqueConstraint(fields=["id", "line"], name="lot_carries_line"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True) | Q(quantity__gt=0),
                name="lot_quantity_is_positive",
                violation_error_message="The lot quantity must be more than 0.",
            ),
        ]
        triggers = marks(lot="id")

    def __str__(self):
        return self.code


class DeliveryQuerySet(OfFactory):
    def between(self, first, last):
        return self.filter(received_on__gte=first, received_on__lte=last)

    def newest_first(self):
        return self.order_by("-received_on", "-id")

    def with_line(self):
        """What a list shows. Joined too, the sites would double the time that the database takes to plan it."""
        return self.select_related("line__order__factory", "line__product").prefetch_related("site")

    def with_everything(self):
        return self.with_line().prefetch_related("lot", "recorded_by")


# Receipts alone break nothing when they are added: a bulk of them costs one look for a reversal among them.
MAY_TAKE_BACK = "(SELECT c.line_id FROM {changed} AS c WHERE c.kind = 'reversal' OR TG_OP = 'UPDATE')"
REVERSED_WITHIN_RECEIVED = sum_check(
    "reversed_within_received",
    "insert update",
    f"SELECT 1 FROM production_orderline WHERE id IN {MAY_TAKE_BACK} ORDER BY id FOR UPDATE",
    "SELECT INTO broken max(problem) FROM (SELECT 'Reversed ' || trim_scale(-sum(v.quantity)) || ' is more than the ' "
    "|| trim_scale(d.quantity) || ' received on ' || d.received_on || '.' AS problem "
    "FROM production_delivery v JOIN production_delivery d ON d.id = v.reverses_id "
    f"WHERE v.reverses_id IS NOT NULL AND v.line_id IN {MAY_TAKE_BACK} "
    "GROUP BY d.id, d.quantity, d.received_on HAVING d.quantity + sum(v.quantity) < 0) AS problems;",
)


@tracked()
class Delivery(models.Model):
    """One receipt of goods at a site for one order line, or the reversal of one."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt", "Receipt"
        REVERSAL = "reversal", "Reversal"

    class Condition(models.TextChoices):
        FINE = "fine", "Looks fine"
        DAMAGED = "damaged", "Damage or wrong goods"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="deliveries")
    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="deliveries")
    site = models.ForeignKey(Site, models.PROTECT, related_name="deliveries", db_index=False)
    lot = models.ForeignKey(Lot, models.SET_NULL, null=True, blank=True, related_name="deliveries")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.RECEIPT)
    reverses = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="reversals")
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    received_at = models.DateTimeField(null=True, blank=True, help_text="The moment, in UTC, where it is known.")
    received_on = models.DateField(help_text="The day at the receiving site; a reversal bears the day of its receipt.")
    known_on = models.DateField(help_text="The business day from which this row counts.")
    condition = models.CharField(max_length=8, choices=Condition, default=Condition.FINE)
    damaged_quantity = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    reason = models.CharField("what is wrong", max_length=200, blank=True)
    document = models.CharField("document number", max_length=80, blank=True)
    cartons = models.PositiveIntegerField(null=True, blank=True)
    note = models.TextField(blank=True)
    is_over = models.BooleanField("over-delivery was confirmed", default=False)
    recorded_at = models.DateTimeField(default=timezone.now, editable=False)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    idem = models.UUIDField("form key", null=True, blank=True, unique=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-received_on", "-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="receipt", quantity__gt=0, reverses__isnull=True)
                | Q(kind="reversal", quantity__lt=0, reverses__isnull=False),
                name="only_a_reversal_is_negative",
                violation_error_message="A receipt needs a quantity above 0; a reversal names its receipt and is below 0.",
            ),
            models.CheckConstraint(
                condition=within_calendar("received_on", "known_on"),
                name="delivery_within_calendar",
                violation_error_message="The day must lie between 2000 and 2049.",
            ),
            models.CheckConstraint(
                condition=Q(kind="reversal") | Q(known_on=F("received_on")),
                name="a_receipt_counts_from_its_day",
                violation_error_message="A receipt counts from the day it was received.",
            ),
            models.UniqueConstraint(fields=["id", "line", "received_on"], name="delivery_carries_line_and_day"),
        ]
        indexes = [
            models.Index(fields=["factory", "received_on"]),
            models.Index(fields=["received_on", "id"]),
            models.Index(fields=["site", "recorded_at"]),  # when a site logged last
        ]
        triggers = [*marks(line="line_id", lot="lot_id"), *REVERSED_WITHIN_RECEIVED]

    def __str__(self):
        return self.code

    @property
    def code(self):
        return f"D-{self.pk}"

    def get_absolute_url(self):
        return f"/deliveries/{self.code}/"
