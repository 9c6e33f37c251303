"""What does not count although it happened: set aside with a reason, by two people."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.history import tracked
from factories.models import Factory
from production.marks import marks
from production.models.deliveries import Lot
from production.models.orders import OfFactory, OrderLine, OrderMaterial, within_calendar

SUBJECTS = ["line", "lot", "order_material"]


def exactly_one(*names):
    """A condition: one of the named references is there, the others are empty."""
    condition = Q()
    for chosen in names:
        condition |= Q(**{f"{name}__isnull": name != chosen for name in names})
    return condition


def all_or_none(names, there):
    return Q(**{f"{name}__isnull": not there for name in names})


DECIDED = ["decided_by", "decided_at", "decided_on"]
LIFTED = ["lifted_by", "lifted_at", "lifted_on"]


def _changed(*names):
    return "(" + " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in names) + ")"


PROPOSAL_CHANGES = _changed(
    "line_id", "lot_id", "order_material_id", "reason", "evidence", "proposed_by_id", "proposed_at"
)
DECISION_CHANGES = _changed("decided_by_id", "decided_at", "decided_on", "decision_note")
END_CHANGES = _changed("withdrawn_at", "lifted_by_id", "lifted_at", "lifted_on", "lift_reason")


class ExclusionQuerySet(OfFactory):
    def standing(self):
        """Those that wait for a decision or are in force: at most one for each subject."""
        return self.filter(state__in=[Exclusion.State.PROPOSED, Exclusion.State.APPROVED])

    def in_force(self):
        return self.filter(state=Exclusion.State.APPROVED)

    def waiting_for(self, user):
        """Proposals that this person may decide: those of somebody else."""
        if not user.decides_exclusions():
            return self.none()
        return self.visible_to(user).filter(state=Exclusion.State.PROPOSED).exclude(proposed_by=user)

    def with_subject(self):
        return self.select_related(
            "factory", "line__order", "line__product", "lot__line__order", "lot__line__product", "order_material__order",
            "order_material__material", "proposed_by", "decided_by", "lifted_by",
        )  # fmt: skip


@tracked()
class Exclusion(models.Model):
    """One order line, lot or material of an order that one person wants set aside, and what another decided."""

    class State(models.TextChoices):
        PROPOSED = "proposed", "Waiting"
        APPROVED = "approved", "Set aside"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"
        LIFTED = "lifted", "Lifted"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="exclusions")
    line = models.ForeignKey(OrderLine, models.PROTECT, null=True, blank=True, related_name="exclusions")
    lot = models.ForeignKey(Lot, models.PROTECT, null=True, blank=True, related_name="exclusions")
    order_material = models.ForeignKey(
        OrderMaterial, models.PROTECT, null=True, blank=True, related_name="exclusions", verbose_name="material"
    )
    reason = models.CharField(max_length=500)
    evidence = models.TextField(blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_on = models.DateField(null=True, blank=True, help_text="The day from which it counts.")
    decision_note = models.CharField(max_length=500, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_on = models.DateField(null=True, blank=True, help_text="The day from which the row counts again.")
    lift_reason = models.CharField(max_length=500, blank=True)

    objects = ExclusionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=exactly_one(*SUBJECTS),
                name="exclusion_has_one_subject",
                violation_error_message="Choose one order line, one lot or one material of an order.",
            ),
            models.CheckConstraint(
                condition=Q(reason__regex=r"\S"),
                name="exclusion_has_a_reason",
                violation_error_message="Say why it should not count.",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("proposed_by")),
                name="exclusion_needs_a_second_person",
                violation_error_message="Somebody else than the person who proposed it decides.",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state="proposed", withdrawn_at__isnull=True) & all_or_none([*DECIDED, *LIFTED], False)
                    | Q(state="withdrawn", withdrawn_at__isnull=False) & all_or_none([*DECIDED, *LIFTED], False)
                    | Q(state__in=["approved", "declined"], withdrawn_at__isnull=True)
                    & all_or_none(DECIDED, True)
                    & all_or_none(LIFTED, False)
                    | Q(
                        state="lifted",
                        withdrawn_at__isnull=True,
                        lift_reason__regex=r"\S",
                        lifted_on__gte=F("decided_on"),
                    )
                    & all_or_none([*DECIDED, *LIFTED], True)
                ),
                name="exclusion_says_who_and_when",
                violation_error_message="A decision has a person and a day; what is lifted also has a reason.",
            ),
            models.CheckConstraint(
                condition=within_calendar("decided_on", "lifted_on"),
                name="exclusion_within_calendar",
                violation_error_message="Days must lie between 2000 and 2049.",
            ),
            *(
                models.UniqueConstraint(
                    fields=[name],
                    condition=Q(state__in=["proposed", "approved"]),
                    name=f"one_standing_exclusion_per_{name}",
                    violation_error_message="There is already an exclusion of this row.",
                )
                for name in SUBJECTS
            ),
        ]
        indexes = [models.Index(fields=["factory", "state"])]
        triggers = [
            *marks(line="line_id", lot="lot_id", material="order_material_id"),
            pgtrigger.Trigger(
                name="exclusion_is_kept",
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                func=pgtrigger.Func(
                    "IF COALESCE(current_setting('plumbline.correcting', TRUE), '') = 'on' THEN RETURN NULL; END IF; "
                    f"IF {PROPOSAL_CHANGES} OR OLD.decided_by_id IS NOT NULL AND {DECISION_CHANGES} "
                    f"OR OLD.state IN ('declined', 'withdrawn', 'lifted') AND {END_CHANGES} "
                    "OR NEW.state <> OLD.state AND NOT (OLD.state = 'proposed' AND NEW.state <> 'lifted' "
                    "OR OLD.state = 'approved' AND NEW.state = 'lifted') "
                    "THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'exclusion_is_kept', "
                    "MESSAGE = 'What was proposed and decided stays as it is. Lift it, or propose anew.'; END IF; RETURN NULL;"
                ),
            ),
            # Nothing lifts this one, not even an import that corrects.
            pgtrigger.Trigger(
                name="exclusion_is_never_deleted",
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                func=pgtrigger.Func(
                    "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'exclusion_is_never_deleted', "
                    "MESSAGE = 'What was set aside, or was to be, is kept for ever. Lift it, or withdraw it.';"
                ),
            ),
        ]

    def __str__(self):
        return self.code

    @property
    def code(self):
        return f"X-{self.pk}"

    @property
    def subject(self):
        return self.line or self.lot or self.order_material

    @property
    def title(self):
        """What the row is called: the code of the line or the lot, or order and material."""
        if self.order_material_id:
            return f"{self.order_material.order.number} · {self.order_material.material.name}"
        return self.subject.code

    @property
    def order(self):
        """The purchase order of the row."""
        if self.order_material_id:
            return self.order_material.order
        return (self.line or self.lot.line).order

    @property
    def kind(self):
        """Which of the three it is about: line, lot or material."""
        return "line" if self.line_id else "lot" if self.lot_id else "material"

    def get_absolute_url(self):
        return f"/exclusions/{self.code}/"
