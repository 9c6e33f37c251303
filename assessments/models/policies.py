"""How factories are judged: thresholds that a manager sets, effective from a day."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

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
    def agreed(self):
        """Those that count from their first day on; no proposal, nothing declined or withdrawn."""
        return self.filter(state=Policy.State.AGREED)

    def in_force(self, day):
        """Every policy that may apply on `day`, latest first."""
        return self.agreed().filter(effective_from__lte=day).order_by("-effective_from")

    def waiting_for(self, user):
        """The proposals that `user` may approve or decline: all but the own ones. None for who edits no policies."""
        if not user.edits_policies():
            return self.none()
        return self.filter(state=Policy.State.PROPOSED).exclude(created_by=user)


# The words of a version that may change after it is written; its values never do.
MAY_CHANGE = "{state,decided_by_id,decided_at,reason,note,effective_from,created_by_id}"

NEVER_BACK_DATED = """
    IF NEW.state = 'agreed' AND {changed} AND EXISTS (
        SELECT FROM assessments_evaluation e JOIN factories_factory f ON f.id = e.factory_id
        WHERE e.kind IN ('night', 'month') AND e.as_of >= NEW.effective_from
          AND (NEW.factory_id IS NULL OR e.factory_id = NEW.factory_id)
          AND (NEW.category_id IS NULL OR f.category_id = NEW.category_id OR e.category_id = NEW.category_id)
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_not_back_dated',
            MESSAGE = 'A policy cannot begin on a day that was judged already.';
    END IF;
"""
BEGINS = """
    IF NEW.state = 'agreed' AND EXISTS (SELECT FROM assessments_foureyes WHERE is_on) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_begins_as_a_proposal',
            MESSAGE = 'Four eyes are asked for: a new version of a policy begins as a proposal.';
    END IF;
    RETURN NULL;
"""
KEEPS = f"""
    IF to_jsonb(NEW) - '{MAY_CHANGE}'::text[] <> to_jsonb(OLD) - '{MAY_CHANGE}'::text[]
        OR (NEW.created_by_id IS DISTINCT FROM OLD.created_by_id AND NEW.created_by_id IS NOT NULL)
        OR (NEW.effective_from <> OLD.effective_from
            AND NOT (OLD.state = 'proposed' AND NEW.state = 'agreed' AND NEW.effective_from > OLD.effective_from))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_values_never_change',
            MESSAGE = 'A version of a policy never changes: make a new one.';
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'proposed' AND NEW.decided_by_id IS NOT NULL)
        OR (OLD.state = 'agreed' AND NEW.state = 'withdrawn' AND OLD.effective_from > CURRENT_DATE
            AND NOT EXISTS (SELECT FROM assessments_foureyes WHERE is_on)
            AND NOT EXISTS (SELECT FROM assessments_evaluation e WHERE e.policy_id = OLD.id))
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_state_stands',
            MESSAGE = 'What was decided about a version of a policy stands.';
    END IF;
    RETURN NULL;
"""


@tracked()
class Policy(models.Model):
    """One set of thresholds for one scope, in force from a day until a later one of the same scope."""

    class State(models.TextChoices):
        AGREED = "agreed", "Agreed"
        PROPOSED = "proposed", "Proposed"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

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
    state = models.CharField(max_length=9, choices=State, default=State.AGREED, editable=False)
    proposed_from = models.DateField(null=True, blank=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    reason = models.CharField("reason to decline", max_length=300, blank=True, editable=False)

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
                "FROM factories_factory f JOIN new_values p ON p.factory_id IS NULL OR p.factory_id = f.id "
                "WHERE p.state = 'agreed'; RETURN NULL;",
            )
            for name, operation in (("insert", pgtrigger.Insert), ("update", pgtrigger.Update))
        ] + [
            # After the constraints of the row, so that these say their own sentence first.
            pgtrigger.Trigger(name=name, level=pgtrigger.Row, when=pgtrigger.After, operation=operation, func=func)
            for name, operation, func in (
                ("not_back_dated", pgtrigger.Insert, NEVER_BACK_DATED.replace("{changed}", "TRUE") + "RETURN NULL;"),
                ("begins_as_a_proposal", pgtrigger.Insert, BEGINS),
                (
                    "not_back_dated_later",
                    pgtrigger.Update,
                    NEVER_BACK_DATED.replace("{changed}", "OLD.state <> 'agreed'") + "RETURN NULL;",
                ),
                ("keeps_its_values", pgtrigger.Update, KEEPS),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "category", "effective_from"],
                condition=Q(state="agreed"),
                nulls_distinct=False,
                name="one_policy_per_scope_and_day",
                violation_error_message="There is already a version for this scope from that day.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["agreed", "declined"], decided_by=F("created_by")),
                name="policy_decided_by_another",
                violation_error_message="Whoever proposed a version does not decide about it.",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined", reason=""),
                name="declined_policy_has_a_reason",
                violation_error_message="Say why.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["agreed", "proposed", "declined", "withdrawn"]),
                name="policy_state_is_known",
                violation_error_message="Agreed, proposed, declined or withdrawn.",
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
        # A form does not ask for the state, so it leaves out the constraint that reads it.
        same = Policy.objects.agreed().filter(factory=self.factory_id, category=self.category_id)
        if self._state.adding and self.effective_from and same.filter(effective_from=self.effective_from).exists():
            raise ValidationError({"effective_from": "There is already a version for this scope from that day."})

    def defect_thresholds(self, category: Any) -> Thresholds:
        """The defect thresholds for goods of `category`; the wider ones where they are soft and the policy names no category."""
        if category is not None and category.is_soft and self.category_id is None:
            return Thresholds(self.soft_defect_target, self.soft_defect_limit, self.soft_defect_zero)
        return Thresholds(self.defect_target, self.defect_limit, self.defect_zero)

    def otif_thresholds(self) -> Thresholds:
        return Thresholds(self.otif_target, self.otif_floor, self.otif_zero)

    def loss_thresholds(self) -> Thresholds:
        return Thresholds(self.loss_target, self.loss_limit, self.loss_zero)


SWITCHED_OFF_BY_TWO = """
    IF OLD.is_on AND NOT NEW.is_on
        AND (OLD.off_asked_by_id IS NULL OR NEW.off_asked_by_id IS DISTINCT FROM OLD.off_asked_by_id
             OR NEW.changed_by_id IS NULL)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'four_eyes_off_by_two',
            MESSAGE = 'Switching four eyes off is asked for by one person and agreed by another.';
    END IF;
    RETURN NULL;
"""


@tracked()
class FourEyes(models.Model):
    """The one setting whether a new version of a policy needs a second person before it can be in force."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    is_on = models.BooleanField("a second person agrees to policies", default=False)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(null=True, blank=True)
    off_asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name_plural = "four eyes"
        triggers = [
            pgtrigger.Trigger(
                name="switched_off_by_two",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                func=SWITCHED_OFF_BY_TWO,
            ),
            pgtrigger.Protect(
                name="not_deleted_while_on", operation=pgtrigger.Delete, condition=pgtrigger.Q(old__is_on=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(id=1),
                name="one_setting_of_four_eyes",
                violation_error_message="There is one setting for the whole house.",
            ),
            models.CheckConstraint(
                condition=Q(is_on=True) | Q(off_asked_by=None) | ~Q(off_asked_by=F("changed_by")),
                name="four_eyes_off_by_another",
                violation_error_message="Somebody else agrees to switch it off.",
            ),
        ]

    def __str__(self):
        return "on" if self.is_on else "off"
