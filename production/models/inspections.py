"""What was checked, and what was found."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.history import tracked
from factories.models import Factory, Severity
from production.marks import marks
from production.models.deliveries import Lot
from production.models.orders import OfFactory, within_calendar


class InspectionQuerySet(OfFactory):
    def newest_first(self):
        return self.order_by("-inspected_on", "-id")

    def counting(self):
        """Those that may count, best first: of each lot the first one does (DEF-4)."""
        from_us_first = models.Case(models.When(source=Inspection.Source.RECEIVING, then=2), default=1)
        fit = self.filter(is_original=True).exclude(stage=Inspection.Stage.INLINE)
        return fit.exclude(source=Inspection.Source.FACTORY).order_by(from_us_first, "inspected_on", "id")

    def with_lot(self):
        return self.select_related("lot__line__order__factory", "lot__line__product", "recorded_by")


@tracked()
class Inspection(models.Model):
    """One check of one lot: how many units were looked at and how many were bad, each counted once at its worst class."""

    class Stage(models.TextChoices):
        INLINE = "inline", "In line"
        FINAL = "final", "Final"
        RECEIVING = "receiving", "At receipt"

    class Source(models.TextChoices):
        THIRD_PARTY = "third_party", "Inspection company"
        BUYER = "buyer", "Our inspector"
        RECEIVING = "receiving", "Receiving site"
        FACTORY = "factory", "Factory's own report"

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        PENDING = "pending", "Pending"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="inspections")
    lot = models.ForeignKey(Lot, models.CASCADE, related_name="inspections")
    stage = models.CharField(max_length=9, choices=Stage, default=Stage.FINAL)
    source = models.CharField(max_length=11, choices=Source, default=Source.BUYER)
    is_original = models.BooleanField("first look at this lot", default=True, help_text="Not a repeat after rework.")
    inspected_at = models.DateTimeField(null=True, blank=True)
    inspected_on = models.DateField(help_text="The day at the factory.")
    severity = models.CharField(
        "how strictly", max_length=9, choices=Severity, default=Severity.NORMAL, db_default=Severity.NORMAL,
        help_text="What the grade of the factory, or its last lots, asked for on that day.",
    )  # fmt: skip
    severity_because = models.JSONField(
        "why so strictly", null=True, blank=True, editable=False,
        help_text="The grade, and the lots that were not accepted, as they were on that day.",
    )  # fmt: skip
    lot_quantity = models.PositiveIntegerField(null=True, blank=True)
    units_inspected = models.PositiveIntegerField()
    units_critical = models.PositiveIntegerField(default=0)
    units_major = models.PositiveIntegerField(default=0)
    units_minor = models.PositiveIntegerField(default=0)
    verdict = models.CharField(max_length=8, choices=Verdict, default=Verdict.PENDING)
    units_rejected = models.PositiveIntegerField(default=0)
    units_material_fault = models.PositiveIntegerField("rejected because of our material", default=0)
    material_fault_approved_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True)
    recorded_at = models.DateTimeField(default=timezone.now, editable=False)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    idem = models.UUIDField("form key", null=True, blank=True, unique=True, editable=False)

    objects = InspectionQuerySet.as_manager()

    class Meta:
        ordering = ["-inspected_on", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(units_inspected__gt=0),
                name="something_was_inspected",
                violation_error_message="At least one unit must be inspected.",
            ),
            models.CheckConstraint(
                condition=Q(units_inspected__gte=F("units_critical") + F("units_major") + F("units_minor")),
                name="defective_within_inspected",
                violation_error_message="Critical, major and minor together cannot be more than the units inspected.",
            ),
            models.CheckConstraint(
                condition=Q(lot_quantity__isnull=True) | Q(lot_quantity__gte=F("units_inspected")),
                name="inspected_within_lot",
                violation_error_message="More units were inspected than the lot has.",
            ),
            models.CheckConstraint(
                condition=Q(units_rejected__gte=F("units_material_fault")),
                name="material_fault_within_rejected",
                violation_error_message="Rejects because of our material cannot be more than all rejects.",
            ),
            models.CheckConstraint(
                condition=within_calendar("inspected_on", "material_fault_approved_on"),
                name="inspection_within_calendar",
                violation_error_message="The day must lie between 2000 and 2049.",
            ),
        ]
        indexes = [
            models.Index(fields=["factory", "inspected_on"]),
            models.Index(fields=["inspected_on", "id"]),
        ]
        triggers = marks(lot="lot_id")

    def __str__(self):
        return self.code

    @property
    def code(self):
        return f"I-{self.pk}"

    @property
    def units_defective(self):
        """Units that count: critical and major (DEF-2)."""
        return self.units_critical + self.units_major

    @property
    def is_census(self):
        return self.lot_quantity is not None and self.lot_quantity == self.units_inspected

    def get_absolute_url(self):
        return f"/inspections/{self.code}/"
