"""How factories are judged: thresholds that a manager sets, effective from a day."""

from dataclasses import dataclass
from decimal import Decimal

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.history import tracked
from factories.models import Category, Factory


def share(default, **options):
    return models.DecimalField(max_digits=7, decimal_places=6, default=Decimal(default), **options)


@dataclass(frozen=True)
class Thresholds:
    """Where a measure scores 100 (target), where it scores 60 and breaches beyond (limit), and where it scores 0 (zero)."""

    target: Decimal
    limit: Decimal
    zero: Decimal


class PolicyQuerySet(models.QuerySet):
    def in_force(self, day):
        """Every policy that may apply on `day`, latest first."""
        return self.filter(effective_from__lte=day).order_by("-effective_from")


@tracked()
class Policy(models.Model):
    """One set of thresholds for one scope, in force from a day until a later one of the same scope."""

    factory = models.ForeignKey(Factory, models.CASCADE, null=True, blank=True, related_name="policies")
    category = models.ForeignKey(Category, models.CASCADE, null=True, blank=True, related_name="policies")
    effective_from = models.DateField()
    note = models.CharField("why", max_length=200, blank=True)

    defect_target = share("0.01")
    defect_limit = share("0.03")
    defect_zero = share("0.06")
    soft_defect_target = share("0.01")
    soft_defect_limit = share("0.05")
    soft_defect_zero = share("0.10")
    otif_target = share("0.98")
    otif_floor = share("0.90")
    otif_zero = share("0.70")
    loss_target = share("0.01")
    loss_limit = share("0.03")
    loss_zero = share("0.06")
    defect_weight = models.PositiveSmallIntegerField(default=40)
    otif_weight = models.PositiveSmallIntegerField(default=40)
    loss_weight = models.PositiveSmallIntegerField(default=20)

    excellent_from = models.DecimalField(max_digits=5, decimal_places=2, default=90)
    good_from = models.DecimalField(max_digits=5, decimal_places=2, default=80)
    passing_from = models.DecimalField(max_digits=5, decimal_places=2, default=60)
    hysteresis_margin = models.DecimalField(max_digits=5, decimal_places=2, default=2)
    carry_max = models.PositiveSmallIntegerField(default=2)

    alpha_month = share("0.05")
    alpha_rolling = share("0.01")
    min_units_confirm = models.PositiveIntegerField(default=30)
    min_units = models.PositiveIntegerField(default=200)
    min_lots = models.PositiveIntegerField(default=3)
    min_lines = models.PositiveIntegerField(default=5)
    min_orders = models.PositiveIntegerField("closed orders needed to grade material loss", default=1)
    min_coverage = share("0.50")
    window_days = models.PositiveIntegerField(default=90)
    fallback_days = models.PositiveIntegerField(default=365)

    on_delay_watch = models.PositiveSmallIntegerField(default=2)
    off_delay_ok = models.PositiveSmallIntegerField(default=3)
    clear_ratio = share("0.9")
    reopen_days = models.PositiveSmallIntegerField(default=14)
    stale_days = models.PositiveSmallIntegerField(default=90)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )

    objects = PolicyQuerySet.as_manager()

    class Meta:
        ordering = ["-effective_from", "-id"]
        verbose_name_plural = "policies"
        triggers = [
            pgtrigger.Trigger(
                name=f"to_judge_{name}",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=operation,
                referencing=pgtrigger.Referencing(new="new_values"),
                func="INSERT INTO production_tojudge (factory_id, first_on) SELECT DISTINCT f.id, CURRENT_DATE "
                "FROM factories_factory f JOIN new_values p ON p.factory_id IS NULL OR p.factory_id = f.id; RETURN NULL;",
            )
            for name, operation in (("insert", pgtrigger.Insert), ("update", pgtrigger.Update))
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "category", "effective_from"],
                nulls_distinct=False,
                name="one_policy_per_scope_and_day",
                violation_error_message="There is already a version for this scope from that day.",
            ),
            *[
                models.CheckConstraint(
                    condition=Q(**{f"{name}_target__gte": 0, f"{name}_target__lte": F(f"{name}_limit")})
                    & Q(**{f"{name}_limit__lt": F(f"{name}_zero"), f"{name}_zero__lte": 1, f"{name}_limit__gt": 0}),
                    name=f"{name}_thresholds_in_order",
                    violation_error_message=f"For {words}: target ≤ limit < zero, all between 0 %% and 100 %%.",
                )
                for name, words in (
                    ("defect", "the defect rate"),
                    ("soft_defect", "the defect rate of soft goods"),
                    ("loss", "material loss"),
                )
            ],
            models.CheckConstraint(
                condition=Q(otif_target__lte=1, otif_target__gte=F("otif_floor"), otif_floor__gt=F("otif_zero"))
                & Q(otif_zero__gte=0, otif_floor__lt=1),
                name="otif_thresholds_in_order",
                violation_error_message="For on time in full: zero < floor ≤ target, all between 0 %% and 100 %%.",
            ),
            models.CheckConstraint(
                condition=Q(defect_weight__gt=0) | Q(otif_weight__gt=0) | Q(loss_weight__gt=0),
                name="some_weight",
                violation_error_message="At least one weight must be more than 0.",
            ),
            models.CheckConstraint(
                condition=Q(passing_from__gt=0, passing_from__lt=F("good_from"), good_from__lt=F("excellent_from"))
                & Q(excellent_from__lte=100),
                name="bands_in_order",
                violation_error_message="Bands must rise: 0 < passing < good < excellent ≤ 100.",
            ),
            models.CheckConstraint(
                condition=Q(window_days__gte=1, window_days__lte=F("fallback_days"), fallback_days__lte=731),
                name="windows_in_order",
                violation_error_message="The window must be at least 1 day and no longer than the fallback (at most 731).",
            ),
            models.CheckConstraint(
                condition=Q(alpha_month__gt=0, alpha_month__lt=1, alpha_rolling__gt=0, alpha_rolling__lt=1),
                name="alphas_are_probabilities",
                violation_error_message="Alpha must lie between 0 and 1.",
            ),
        ]

    def __str__(self):
        return f"{self.scope_name} from {self.effective_from:%Y-%m-%d}"

    @property
    def scope_name(self):
        """Whom it is for, in words."""
        if self.factory_id and self.category_id:
            return f"{self.factory.name}, {self.category.name}"
        if self.factory_id:
            return self.factory.name
        if self.category_id:
            return self.category.name
        return "All factories"

    def clean(self):
        if self._state.adding and self.effective_from and self.effective_from < timezone.now().date():
            raise ValidationError(
                {"effective_from": "A policy cannot begin in the past: published grades stay as they are."}
            )

    def defect_thresholds(self, category):
        """The defect thresholds for goods of `category`; the wider ones where they are soft and the policy names no category."""
        if category is not None and category.is_soft and self.category_id is None:
            return Thresholds(self.soft_defect_target, self.soft_defect_limit, self.soft_defect_zero)
        return Thresholds(self.defect_target, self.defect_limit, self.defect_zero)

    def otif_thresholds(self):
        return Thresholds(self.otif_target, self.otif_floor, self.otif_zero)

    def loss_thresholds(self):
        return Thresholds(self.loss_target, self.loss_limit, self.loss_zero)
