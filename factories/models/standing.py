"""What the grade of a factory brings with it now, and what was granted in spite of it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.history import tracked
from factories.models.factories import Factory


class OrderRule(models.TextChoices):
    FREE = "free", "New orders as usual"
    WARN = "warn", "A warning on every new order"
    BLOCK = "block", "No new orders"


class Severity(models.TextChoices):
    NORMAL = "normal", "Normal inspection"
    TIGHTENED = "tightened", "Tightened inspection"
    FULL = "full", "Every unit is inspected"


class Consequence(models.Model):
    """What a grade brings with it for a factory."""

    orders = models.CharField("new orders", max_length=5, choices=OrderRule, default=OrderRule.FREE)
    max_open_value = models.DecimalField(
        "cap on the value of open orders", max_digits=18, decimal_places=2, null=True, blank=True
    )
    cap_currency = models.CharField("currency of the cap", max_length=3, default="USD")
    inspection = models.CharField("inspection", max_length=9, choices=Severity, default=Severity.NORMAL)
    deposit_terms = models.CharField("deposit and payment terms", max_length=120, blank=True)
    has_badge = models.BooleanField("bears the badge, first pick for new styles", default=False)
    needs_plan = models.BooleanField("owes an improvement plan", default=False)

    class Meta:
        abstract = True


class Standing(Consequence):
    """What the published grade of one factory means for it now. Worked out by the floor above, never edited by hand."""

    factory = models.OneToOneField(Factory, models.CASCADE, primary_key=True, related_name="standing")
    grade = models.CharField(max_length=20)
    since_on = models.DateField()
    plan_due_on = models.DateField(
        null=True, help_text="When the improvement plan is due that it has not answered yet."
    )
    corrected_on = ArrayField(
        models.DateField(),
        null=True,
        help_text="The days on which corrections of its quality were confirmed, oldest first.",
    )

    def __str__(self):
        return f"{self.factory} {self.grade}"


class StandingOverrideQuerySet(models.QuerySet):
    def in_force(self, day):
        return self.filter(from_on__lte=day, until_on__gte=day, ended_at=None)


@tracked()
class StandingOverride(models.Model):
    """One permission to order from a factory in spite of its grade, with a reason and a last day."""

    factory = models.ForeignKey(Factory, models.CASCADE, related_name="overrides")
    reason = models.CharField(max_length=300)
    from_on = models.DateField()
    until_on = models.DateField("last day")
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    granted_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = StandingOverrideQuerySet.as_manager()

    class Meta:
        ordering = ["-granted_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until_on__gte=models.F("from_on")),
                name="override_ends_after_it_begins",
                violation_error_message="The last day cannot lie before the first.",
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="override_has_a_reason", violation_error_message="Say why."
            ),
        ]

    def __str__(self):
        return f"{self.factory} until {self.until_on}"
