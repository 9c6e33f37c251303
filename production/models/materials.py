"""What material the seller gave, and got back."""

from django.db import models
from django.db.models import Q

from accounts.history import tracked
from factories.models import Factory
from production.marks import marks, sum_check
from production.models.orders import OfFactory, OrderMaterial, within_calendar

RETURNED_WITHIN_ISSUED = sum_check(
    "returned_within_issued",
    "insert update delete",
    "SELECT 1 FROM production_ordermaterial WHERE id IN (SELECT order_material_id FROM {changed} AS c) ORDER BY id FOR UPDATE",
    "SELECT INTO broken max('Returned and passed on ' || trim_scale(m.gone) || ' is more than the issued ' || "
    "trim_scale(m.came) || '.') FROM (SELECT order_material_id, "
    "COALESCE(sum(quantity) FILTER (WHERE kind IN ('return', 'transfer_out')), 0) AS gone, "
    "COALESCE(sum(quantity) FILTER (WHERE kind IN ('issue', 'transfer_in')), 0) AS came "
    "FROM production_materialmovement WHERE order_material_id IN (SELECT order_material_id FROM {changed} AS t) "
    "GROUP BY order_material_id) AS m WHERE m.gone > m.came;",
)


@tracked()
class MaterialMovement(models.Model):
    """One movement of the seller's material for one order: issued, returned, scrapped or passed to another order."""

    class Kind(models.TextChoices):
        ISSUE = "issue", "Issued to the factory"
        RETURN = "return", "Returned good"
        SCRAP = "scrap", "Scrap returned"
        TRANSFER_IN = "transfer_in", "Taken over from another order"
        TRANSFER_OUT = "transfer_out", "Passed to another order"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="+")
    order_material = models.ForeignKey(OrderMaterial, models.CASCADE, related_name="movements")
    kind = models.CharField(max_length=12, choices=Kind)
    moved_on = models.DateField()
    quantity_entered = models.DecimalField(max_digits=18, decimal_places=6)
    unit_entered = models.CharField(max_length=12)
    factor_numerator = models.BigIntegerField(
        default=1, help_text="Base units per entered unit = numerator / denominator."
    )
    factor_denominator = models.BigIntegerField(default=1)
    quantity = models.GeneratedField(
        expression=models.Func(
            models.F("quantity_entered"), models.F("factor_numerator"), models.F("factor_denominator"),
            template="round((quantity_entered * factor_numerator)::numeric(60, 30) / factor_denominator, 12)",
        ),
        output_field=models.DecimalField(max_digits=38, decimal_places=12),
        db_persist=True,
    )  # fmt: skip
    # Of the lot of fabric, where its weight was entered and its length is what counts; the conversion rests on them.
    gsm = models.DecimalField("grams per square metre", max_digits=8, decimal_places=2, null=True, blank=True)
    width_m = models.DecimalField("width in metres", max_digits=6, decimal_places=3, null=True, blank=True)
    unit_cost = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, help_text="Of one base unit, frozen at issue."
    )
    salvage_unit = models.DecimalField("salvage value of one base unit", max_digits=18, decimal_places=6, default=0)
    document = models.CharField(max_length=80, blank=True)

    objects = OfFactory.as_manager()

    class Meta:
        ordering = ["moved_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity_entered__gt=0),
                name="moved_quantity_is_positive",
                violation_error_message="The quantity must be more than 0.",
            ),
            models.CheckConstraint(
                condition=Q(factor_numerator__gt=0, factor_denominator__gt=0),
                name="conversion_is_positive",
                violation_error_message="The unit conversion must be two whole numbers above 0.",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["issue", "transfer_in"]) | Q(unit_cost__isnull=False, unit_cost__gte=0),
                name="issued_material_has_a_cost",
                violation_error_message="Issued material needs its unit cost: it is frozen now and used at order close.",
            ),
            models.CheckConstraint(
                condition=Q(salvage_unit__gte=0),
                name="salvage_not_negative",
                violation_error_message="The salvage value cannot be negative.",
            ),
            models.CheckConstraint(
                condition=Q(gsm__isnull=True, width_m__isnull=True)
                | Q(gsm__isnull=False, width_m__isnull=False, gsm__gt=0, width_m__gt=0),
                name="fabric_has_weight_and_width",
                violation_error_message="The weight of a fabric is converted by its g/m² and its width, both above 0.",
            ),
            models.CheckConstraint(
                condition=within_calendar("moved_on"),
                name="movement_within_calendar",
                violation_error_message="The day must lie between 2000 and 2049.",
            ),
        ]
        indexes = [models.Index(fields=["factory", "moved_on"])]
        triggers = [*marks(material="order_material_id"), *RETURNED_WITHIN_ISSUED]

    def __str__(self):
        return f"{self.kind} {self.quantity_entered} {self.unit_entered}"
