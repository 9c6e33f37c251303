"""What a factory says is not right: one row of its score that it disputes, and the answer."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.history import tracked
from factories.models import Factory
from production.models.deliveries import Delivery, Lot
from production.models.exclusions import Exclusion, all_or_none, exactly_one
from production.models.orders import OfFactory, OrderLine, OrderMaterial

SUBJECTS = ["line", "lot", "delivery", "order_material"]
KEPT = [*(f"{name}_id" for name in SUBJECTS), "reason", "raised_by_id", "raised_at"]
KEPT_ONCE_OVER = ["state", "answer", "answered_by_id", "answered_at", "withdrawn_at", "exclusion_id"]


def changed(names):
    return " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in names)


class DisputeQuerySet(OfFactory):
    def open(self):
        return self.filter(state=Dispute.State.OPEN)

    def waiting(self):
        """Open, and nobody has proposed yet to set the row aside: somebody of us has to answer."""
        return self.open().filter(exclusion__isnull=True)

    def with_subject(self):
        return self.select_related(
            "factory", "line__order", "line__product", "lot__line__order", "lot__line__product", "delivery__line__order",
            "delivery__line__product", "order_material__order", "order_material__material", "exclusion", "raised_by",
            "answered_by",
        )  # fmt: skip


@tracked()
class Dispute(models.Model):
    """One order line, lot, delivery or material of an order that a factory disputes, and what we answered."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        UPHELD = "upheld", "Upheld"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="disputes")
    line = models.ForeignKey(OrderLine, models.PROTECT, null=True, blank=True, related_name="disputes")
    lot = models.ForeignKey(Lot, models.PROTECT, null=True, blank=True, related_name="disputes")
    delivery = models.ForeignKey(Delivery, models.PROTECT, null=True, blank=True, related_name="disputes")
    order_material = models.ForeignKey(
        OrderMaterial, models.PROTECT, null=True, blank=True, related_name="disputes", verbose_name="material"
    )
    reason = models.TextField()
    raised_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    raised_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    # While it is open: what will be answered once the row is set aside.
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    exclusion = models.ForeignKey(Exclusion, models.PROTECT, null=True, blank=True, related_name="disputes")

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=exactly_one(*SUBJECTS),
                name="dispute_has_one_subject",
                violation_error_message="Choose one order line, one lot, one delivery or one material of an order.",
            ),
            models.CheckConstraint(
                condition=Q(reason__regex=r"\S"),
                name="dispute_has_a_reason",
                violation_error_message="Say what is not right.",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state="open") & all_or_none(["answered_at", "withdrawn_at"], False)
                    | Q(state__in=["upheld", "declined"], answer__regex=r"\S", withdrawn_at__isnull=True)
                    & all_or_none(["answered_by", "answered_at"], True)
                    | Q(state="withdrawn", withdrawn_at__isnull=False, answered_at__isnull=True)
                ),
                name="dispute_says_who_answered_what",
                violation_error_message="An answer has a person, a moment and a text.",
            ),
            *(
                models.UniqueConstraint(
                    fields=[name],
                    condition=Q(state="open"),
                    name=f"one_open_dispute_per_{name}",
                    violation_error_message="This row is disputed already.",
                )
                for name in SUBJECTS
            ),
        ]
        indexes = [models.Index(fields=["factory", "state"])]
        triggers = [
            pgtrigger.Trigger(
                name="dispute_is_kept",
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                func=pgtrigger.Func(
                    "IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NULL; END IF; "
                    f"IF {changed(KEPT)} OR OLD.state <> 'open' AND ({changed(KEPT_ONCE_OVER)}) THEN "
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'dispute_is_kept', "
                    "MESSAGE = 'What was disputed and answered stays as it is. Raise another dispute.'; "
                    "END IF; RETURN NULL;"
                ),
            ),
        ]

    def __str__(self):
        return self.code

    @property
    def code(self):
        return f"Q-{self.pk}"

    @property
    def kind(self):
        """Which of the four it is about: line, lot, delivery or material."""
        return next(name for name in SUBJECTS if getattr(self, f"{name}_id")).removeprefix("order_")

    @property
    def subject(self):
        return self.line or self.lot or self.delivery or self.order_material

    @property
    def order(self):
        """The purchase order of the row."""
        if self.order_material_id:
            return self.order_material.order
        line = self.line or (self.lot.line if self.lot_id else self.delivery.line)
        return line.order

    @property
    def is_open(self):
        return self.state == self.State.OPEN

    def get_absolute_url(self):
        return f"/disputes/{self.code}/"
