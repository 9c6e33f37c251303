"""What was found when a factory was judged: stored with every number it came from, never changed."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from assessments.models.policies import Policy
from factories.models import Category, Factory
from production.models.orders import OfFactory


class Measure(models.TextChoices):
    DEFECT = "defect", "Defect rate"
    OTIF = "otif", "On time in full"
    LOSS = "loss", "Material loss"


class Status(models.TextChoices):
    OK = "ok", "On target"
    WATCH = "watch", "Watch"
    BREACH = "breach", "Breach"
    NO_DATA = "no_data", "Too few data"


class Grade(models.TextChoices):
    EXCELLENT = "excellent", "Excellent"
    GOOD = "good", "Good"
    PASSING = "passing", "Passing"
    FAILING = "failing", "Failing"
    NOT_RATED = "not_rated", "Not rated"


class EvaluationQuerySet(OfFactory):
    def whole(self):
        """Of the factory as a whole, not of one category."""
        return self.filter(category__isnull=True)

    def newest(self):
        """The last revision of the last day per factory, scope and kind."""
        return self.order_by("factory_id", "category_id", "kind", "-as_of", "-revision").distinct(
            "factory_id", "category_id", "kind"
        )

    def of_kind(self, *kinds):
        return self.filter(kind__in=kinds)


class Evaluation(models.Model):
    """One computation of one factory (and category) for one day: every sum, measure, point and gate. Append-only."""

    class Kind(models.TextChoices):
        LIVE = "live", "Live"
        NIGHT = "night", "Night"
        MONTH = "month", "Month"

    factory = models.ForeignKey(Factory, models.CASCADE, related_name="evaluations", db_index=False)
    category = models.ForeignKey(Category, models.CASCADE, null=True, blank=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind)
    as_of = models.DateField()
    revision = models.PositiveIntegerField(default=1)
    policy = models.ForeignKey(Policy, models.PROTECT, related_name="+")
    window_days = models.PositiveIntegerField()
    is_extended = models.BooleanField("needed the longer window", default=False)
    sums = models.JSONField(help_text="Every numerator and denominator, exact.")
    measures = models.JSONField(
        help_text="Per measure: status, rate as fraction, interval, p-value, points, weight, adds."
    )
    gates = models.JSONField(default=list)
    flags = models.JSONField(default=list)
    score = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    ungated_grade = models.CharField(max_length=20, blank=True)
    raw_grade = models.CharField(max_length=20)
    published_grade = models.CharField(max_length=20, choices=Grade, blank=True, help_text="Month evaluations only.")
    is_carried = models.BooleanField(default=False)
    evidence_on = models.JSONField(default=dict, help_text="Per measure: the last day with a counted record.")
    otif_rate = models.GeneratedField(
        expression=models.Case(
            models.When(
                measures__otif__sufficient=True,
                then=Cast(KT("measures__otif__rate"), models.DecimalField(max_digits=11, decimal_places=10)),
            )
        ),
        output_field=models.DecimalField(null=True, max_digits=11, decimal_places=10),
        db_persist=True,
        help_text="As the measures have it where the data are enough: for drawing many without reading them.",
    )
    digest = models.CharField(max_length=64)
    code_version = models.CharField(max_length=20)
    computed_at = models.DateTimeField(default=timezone.now, db_default=models.functions.Now())

    is_pinned = False  # somebody asked for this very revision: the links of its pages keep to it

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        ordering = ["-as_of", "-revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "kind", "category", "as_of", "revision"],
                nulls_distinct=False,
                name="one_evaluation_per_revision",
            ),
            models.CheckConstraint(
                condition=Q(kind="month") | Q(published_grade=""), name="only_a_month_publishes_a_grade"
            ),
        ]
        indexes = [models.Index(fields=["kind", "as_of"])]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update)]

    def __str__(self):
        return f"{self.factory} {self.kind} {self.as_of} r{self.revision}"

    @property
    def period(self):
        """The word for this evaluation in a URL: 2026-11 for a month, 2026-11-22 for a day."""
        return f"{self.as_of:%Y-%m}" if self.kind == self.Kind.MONTH else f"{self.as_of:%Y-%m-%d}"

    @property
    def alpha(self):
        """How rare chance must be to count as proof: stricter for what is judged every day."""
        return self.policy.alpha_month if self.kind == self.Kind.MONTH else self.policy.alpha_rolling

    def get_absolute_url(self):
        return f"/factories/{self.factory.code}/score/{self.period}/"
