"""What a factory was asked to do better, and whether it is done."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.history import tracked
from assessments.models.breaches import Breach
from factories.models import Factory
from production.models.orders import OfFactory


class ActionQuerySet(OfFactory):
    def visible_to(self, user):
        """Managers and buyers see every action, a factory contact those of its own factory."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.role == user.Role.CONTACT or user.sees_prices():
            return super().visible_to(user)
        return self.none()

    def live(self):
        return self.filter(state__in=[Action.State.ASKED, Action.State.ANSWERED])


@tracked()
class Action(models.Model):
    """One thing that a factory was asked to do by a day: a correction, or the improvement plan that its grade asks for."""

    class Kind(models.TextChoices):
        CORRECTION = "correction", "Correction"
        PLAN = "plan", "Improvement plan"

    class State(models.TextChoices):
        ASKED = "asked", "Asked"
        ANSWERED = "answered", "Answered, to be checked"
        DONE = "done", "Done"
        DROPPED = "dropped", "Dropped"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="actions")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CORRECTION)
    breach = models.ForeignKey(Breach, models.SET_NULL, null=True, blank=True, related_name="actions")
    # An improvement plan belongs to one stretch of a grade; the job that asks for it asks once.
    grade_since = models.DateField(null=True, blank=True, editable=False)
    title = models.CharField("what", max_length=120)
    ask = models.TextField("what is expected", blank=True)
    due_on = models.DateField("due on")
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    objects = ActionQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "grade_since"],
                condition=Q(kind="plan"),
                name="one_plan_for_one_stretch_of_a_grade",
                violation_error_message="This stretch of the grade has its plan already.",
            ),
            models.CheckConstraint(
                condition=Q(kind="plan", grade_since__isnull=False) | Q(kind="correction", grade_since__isnull=True),
                name="plan_belongs_to_a_grade",
                violation_error_message="An improvement plan, and nothing else, belongs to a grade.",
            ),
            models.CheckConstraint(
                condition=~Q(title=""), name="action_says_what", violation_error_message="Say what."
            ),
        ]
        indexes = [models.Index(fields=["factory", "state", "due_on"])]

    def __str__(self):
        return f"{self.code} {self.title}"

    @property
    def code(self):
        return f"A-{self.pk}"

    @property
    def is_live(self):
        return self.state in (self.State.ASKED, self.State.ANSWERED)

    def get_absolute_url(self):
        return f"/actions/{self.code}/"


class ActionStep(models.Model):
    """One thing that happened to an action, in order. Append-only."""

    action = models.ForeignKey(Action, models.CASCADE, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=12)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update)]

    def __str__(self):
        return f"{self.action_id} {self.what}"
