"""When an order is to be where: the milestones of its plan, what was said and done about them, and how the plan moved."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from accounts.history import tracked
from factories.models import Category, Factory
from production.marks import plan_marks
from production.models.orders import OfFactory, Party, PurchaseOrder, within_calendar

BUYER, FACTORY = "buyer", "factory"
PLAN_CONFIRMED = "plan_confirmed"
# What an installation begins with: code, title, after which ones, typical days after the last of them, who answers for it.
DEFAULT_TEMPLATE = [
    ("plan_approved", "Plan approved", [], 0, BUYER),
    (PLAN_CONFIRMED, "Plan confirmed with the factory", ["plan_approved"], 2, FACTORY),
    ("materials_ordered", "Materials ordered", [PLAN_CONFIRMED], 2, FACTORY),
    ("materials_arrived", "Materials arrived", ["materials_ordered"], 15, FACTORY),
    ("pp_sample_approved", "Pre-production sample approved", [PLAN_CONFIRMED], 15, BUYER),
    ("production_start", "Production started", ["materials_arrived", "pp_sample_approved"], 2, FACTORY),
    ("inline_inspection", "Inline inspection", ["production_start"], 8, BUYER),
    ("production_finished", "Production finished", ["inline_inspection"], 11, FACTORY),
    ("final_inspection", "Final inspection", ["production_finished"], 2, BUYER),
    ("shipped", "Shipped", ["final_inspection"], 2, FACTORY),
    ("received", "Received", ["shipped"], 18, BUYER),
]


@tracked()
class MilestoneTemplate(models.Model):
    """One milestone that a new plan begins with: of one product category, or of all that have no template of their own."""

    category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="milestone_templates",
        help_text="Empty: for all others.",
    )
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=40)
    title = models.CharField(max_length=80)
    predecessors = ArrayField(
        models.SlugField(max_length=40), default=list, blank=True, help_text="Codes, with commas."
    )
    gap_days = models.PositiveSmallIntegerField("days after the last of them", default=0)
    responsible = models.CharField(max_length=8, choices=Party, default=Party.FACTORY)

    class Meta:
        ordering = ["category", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["category", "code"],
                name="template_code_unique_in_category",
                nulls_distinct=False,
                violation_error_message="This template already has a milestone with that code.",
            ),
            models.CheckConstraint(
                condition=Q(gap_days__lte=365),
                name="template_gap_within_a_year",
                violation_error_message="Enter at most 365 days.",
            ),
        ]

    def __str__(self):
        return f"{self.title} ({self.category or 'all'})"


@tracked()
class Milestone(models.Model):
    """One milestone of the plan of one order: its planned day (the baseline), and the fact once it is reached."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="milestones")
    order = models.ForeignKey(PurchaseOrder, models.CASCADE, related_name="milestones")
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=40)
    title = models.CharField(max_length=80)
    predecessors = ArrayField(models.SlugField(max_length=40), default=list, blank=True)
    responsible = models.CharField(max_length=8, choices=Party)
    planned_on = models.DateField()
    # From here on the planned day is the baseline: it moves only by an approved `Rebaseline`.
    frozen_at = models.DateTimeField(null=True, blank=True, editable=False)
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    actual_on = models.DateField("reached on", null=True, blank=True)
    evidence = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField("when the fact was recorded", null=True, blank=True, editable=False)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )

    objects = OfFactory.as_manager()

    class Meta:
        ordering = ["order", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "code"],
                name="milestone_code_unique_in_order",
                violation_error_message="This plan already has a milestone with that code.",
            ),
            models.UniqueConstraint(fields=["id", "factory"], name="milestone_carries_factory"),
            models.CheckConstraint(
                condition=within_calendar("planned_on", "actual_on"),
                name="milestone_within_calendar",
                violation_error_message="Days must lie between 2000 and 2049.",
            ),
            models.CheckConstraint(
                condition=Q(actual_on__isnull=True, recorded_at__isnull=True, evidence="")
                | Q(actual_on__isnull=False, recorded_at__isnull=False, evidence__regex=r"\S"),
                name="a_reached_milestone_has_evidence",
                violation_error_message="Say what shows that the milestone is reached.",
            ),
        ]
        indexes = [models.Index(fields=["order", "planned_on"])]
        triggers = [
            *plan_marks("SELECT DISTINCT order_id FROM {changed}"),
            pgtrigger.Trigger(
                name="baseline_is_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("planned_on", "frozen_at", "code", "predecessors"),
                condition=pgtrigger.Q(old__frozen_at__isnull=False),
                func=pgtrigger.Func(
                    "IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NEW; END IF; "
                    "IF NEW.frozen_at IS DISTINCT FROM OLD.frozen_at OR NEW.code <> OLD.code "
                    "OR NEW.predecessors <> OLD.predecessors OR NEW.planned_on <> OLD.planned_on AND NOT EXISTS ("
                    "SELECT 1 FROM production_rebaseline r WHERE r.milestone_id = NEW.id AND r.was_on = OLD.planned_on "
                    "AND r.new_on = NEW.planned_on AND r.approved_at IS NOT NULL) THEN "
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'baseline_is_frozen', "
                    "MESSAGE = 'The planned days of a confirmed plan are frozen. Ask to move them instead.'; "
                    "END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self):
        return f"{self.order}: {self.title}"


class MilestoneForecast(models.Model):
    """One day that somebody stated for a milestone that is not reached yet. Append-only: the newest one counts."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="+")
    milestone = models.ForeignKey(Milestone, models.CASCADE, related_name="forecasts")
    forecast_on = models.DateField("expected on")
    reason = models.CharField(max_length=200, blank=True)
    stated_at = models.DateTimeField()
    stated_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects = OfFactory.as_manager()

    class Meta:
        ordering = ["milestone", "id"]
        constraints = [
            models.CheckConstraint(
                condition=within_calendar("forecast_on"),
                name="forecast_within_calendar",
                violation_error_message="The day must lie between 2000 and 2049.",
            ),
        ]
        triggers = [
            *plan_marks(
                "SELECT DISTINCT order_id FROM production_milestone WHERE id IN (SELECT milestone_id FROM {changed})"
            ),
            pgtrigger.Trigger(
                name="a_stated_day_is_kept",
                when=pgtrigger.After,
                operation=pgtrigger.UpdateOf("milestone_id", "forecast_on", "reason", "stated_at"),
                condition=pgtrigger.Condition(
                    "OLD.milestone_id <> NEW.milestone_id OR OLD.forecast_on <> NEW.forecast_on OR OLD.reason <> NEW.reason "
                    "OR OLD.stated_at <> NEW.stated_at"
                ),
                func=pgtrigger.Func(
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'a_stated_day_is_kept', "
                    "MESSAGE = 'A day that was stated stays as it is. State another one.';"
                ),
            ),
        ]

    def __str__(self):
        return f"{self.milestone} expected on {self.forecast_on}"


@tracked()
class Rebaseline(models.Model):
    """One planned day of a frozen plan that we moved, or ask to move, because of something that we caused."""

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="+")
    milestone = models.ForeignKey(Milestone, models.CASCADE, related_name="moves")
    was_on = models.DateField("the old day")
    new_on = models.DateField("the new day")
    reason = models.CharField("what we changed", max_length=200)
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = OfFactory.as_manager()

    class Meta:
        ordering = ["milestone", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(new_on=F("was_on")) & within_calendar("was_on", "new_on"),
                name="a_move_names_another_day",
                violation_error_message="Enter another day, between 2000 and 2049.",
            ),
            models.CheckConstraint(
                condition=Q(reason__regex=r"\S"),
                name="a_move_has_a_reason",
                violation_error_message="Say what we changed.",
            ),
            models.UniqueConstraint(
                fields=["milestone"],
                condition=Q(approved_at__isnull=True),
                name="one_waiting_move_per_milestone",
                violation_error_message="A move of this milestone waits for approval already.",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="a_move_needs_a_second_person",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("approved_at", "approved_by_id"),
                condition=pgtrigger.Q(old__approved_at__isnull=True, new__approved_by=pgtrigger.F("new__asked_by")),
                func=pgtrigger.Func(
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'a_move_needs_a_second_person', "
                    "MESSAGE = 'Who asked for a move does not approve it: somebody else does.';"
                ),
            ),
            pgtrigger.Trigger(
                name="an_approved_move_is_kept",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("milestone_id", "was_on", "new_on", "reason", "asked_at", "approved_at"),
                condition=pgtrigger.Q(old__approved_at__isnull=False),
                func=pgtrigger.Func(
                    "IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NEW; END IF; "
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'an_approved_move_is_kept', "
                    "MESSAGE = 'An approved move stays as it is. Ask for another one.';"
                ),
            ),
        ]

    def __str__(self):
        return f"{self.milestone} from {self.was_on} to {self.new_on}"
