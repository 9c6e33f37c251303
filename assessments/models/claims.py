"""What factories owe for lost material."""

import pgtrigger
from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.history import tracked
from factories.models import Factory
from production.models import OrderMaterial
from production.models.orders import OfFactory

# Which state follows which; the database holds it, and `assessments.claims.MOVES` says who makes each step.
FOLLOWS = {
    "draft": ["sent", "waived"],
    "sent": ["accepted", "disputed", "waived"],
    "disputed": ["sent", "accepted", "waived"],
    "accepted": ["settled", "waived"],
}
FIGURES = [
    "factory_id", "order_material_id", "closed_on", "issued", "taken_over", "returned", "passed_on", "scrapped", "salvage_unit",
    "net_issued", "theoretical", "loss", "allowed", "excess", "unit_cost", "charge_exact", "currency", "charge", "evidence",
    "created_by_id", "created_at",
]  # fmt: skip
SETTLEMENT = [
    "settlement_currency",
    "settlement_rate",
    "settlement_amount",
    "settled_by",
    "settled_on",
    "reference",
]


def _changed(names):
    return "(" + " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in names) + ")"


def _follows():
    return " OR ".join(
        f"OLD.state = '{state}' AND NEW.state IN ({', '.join(repr(after) for after in afters)})"
        for state, afters in FOLLOWS.items()
    )


def _refuse(message):
    return (
        "RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'claim_is_kept', "
        f"MESSAGE = '{message}'; END IF; "
    )


CLAIM_IS_KEPT = (
    f"IF TG_OP = 'DELETE' THEN IF OLD.state <> 'draft' THEN {_refuse('A claim that left its draft is kept. Waive it.')} "
    "RETURN NULL; END IF; "
    f"IF NEW.state <> OLD.state AND NOT ({_follows()}) THEN {_refuse('A claim cannot take this step from its state.')}"
    f"IF OLD.state <> 'draft' AND {_changed(FIGURES)} THEN "
    f"{_refuse('The figures of a claim stay as they were sent. Waive it, and make another one.')}"
    f"IF {_changed(SETTLEMENT)} AND NOT (OLD.state = 'accepted' AND NEW.state = 'settled') THEN "
    f"{_refuse('A settlement is written once, when an accepted claim is settled.')}"
    "RETURN NULL;"
)


class ClaimQuerySet(OfFactory):
    def visible_to(self, user):
        """Managers and buyers see every claim, a factory contact the claims that were sent to its own factory."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.role == user.Role.CONTACT:
            return super().visible_to(user).exclude(state=Claim.State.DRAFT)
        return self if user.sees_prices() else self.none()

    def live(self):
        return self.exclude(state__in=[Claim.State.WAIVED, Claim.State.SETTLED])


@tracked()
class Claim(models.Model):
    """One amount that a factory is asked to pay for material lost on one order beyond the allowance."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SENT = "sent", "Sent to the factory"
        ACCEPTED = "accepted", "Accepted"
        DISPUTED = "disputed", "Disputed"
        WAIVED = "waived", "Waived"
        SETTLED = "settled", "Settled"

    class Settlement(models.TextChoices):
        SET_OFF = "set_off", "Set off against a payment"
        PAYMENT = "payment", "Paid by the factory"

    factory = models.ForeignKey(Factory, models.PROTECT, related_name="claims")
    order_material = models.ForeignKey(OrderMaterial, models.PROTECT, related_name="claims")
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    # The reconciliation as it stood when the claim was made: what the factory is asked to accept does not change by itself.
    closed_on = models.DateField()
    issued = models.DecimalField(max_digits=38, decimal_places=12)
    taken_over = models.DecimalField("taken over from other orders", max_digits=38, decimal_places=12, default=0)
    returned = models.DecimalField(max_digits=38, decimal_places=12, default=0)
    passed_on = models.DecimalField("passed to other orders", max_digits=38, decimal_places=12, default=0)
    scrapped = models.DecimalField("scrap returned", max_digits=38, decimal_places=12, default=0)
    salvage_unit = models.DecimalField(max_digits=38, decimal_places=12, default=0)
    net_issued = models.DecimalField(max_digits=38, decimal_places=12)
    theoretical = models.DecimalField(max_digits=38, decimal_places=12)
    loss = models.DecimalField(max_digits=38, decimal_places=12)
    allowed = models.DecimalField(max_digits=38, decimal_places=12)
    excess = models.DecimalField(max_digits=38, decimal_places=12)
    unit_cost = models.DecimalField(max_digits=38, decimal_places=12)
    charge_exact = models.DecimalField(max_digits=38, decimal_places=12)
    currency = models.CharField(max_length=3)
    charge = models.DecimalField(
        max_digits=18, decimal_places=3, help_text="Rounded once to the currency's minor unit."
    )
    settlement_currency = models.CharField(max_length=3, blank=True, validators=[RegexValidator(r"^[A-Z]{3}$")])
    settlement_rate = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    settlement_amount = models.DecimalField(max_digits=18, decimal_places=3, null=True, blank=True)
    evidence = models.TextField(blank=True)
    settled_by = models.CharField(max_length=7, choices=Settlement, blank=True)
    settled_on = models.DateField(null=True, blank=True)
    reference = models.CharField("document of the settlement", max_length=120, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = ClaimQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order_material"],
                condition=~Q(state="waived"),
                name="one_claim_per_order_and_material",
                violation_error_message="There is already a claim for this material of this order.",
            ),
            models.CheckConstraint(
                condition=Q(charge__gt=0, excess__gt=0),
                name="claim_is_for_an_excess",
                violation_error_message="Only a loss beyond the allowance can be claimed.",
            ),
            models.CheckConstraint(
                condition=Q(net_issued=F("issued") + F("taken_over") - F("returned") - F("passed_on")),
                name="claimed_movements_give_the_net",
                violation_error_message="Issued and taken over, less returned and passed on, must give the net issued.",
            ),
            models.CheckConstraint(
                condition=Q(settlement_rate__isnull=True) | Q(settlement_rate__gt=0),
                name="settlement_rate_is_positive",
                violation_error_message="The rate must be more than 0.",
            ),
            models.CheckConstraint(
                condition=~Q(state="settled") | (~Q(settled_by="") & Q(settled_on__isnull=False)),
                name="settled_claim_says_how",
                violation_error_message="Say how and when it was settled.",
            ),
        ]
        indexes = [models.Index(fields=["factory", "state"])]
        triggers = [
            pgtrigger.Trigger(
                name="claim_is_kept",
                when=pgtrigger.After,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=pgtrigger.Func(CLAIM_IS_KEPT),
            ),
        ]

    def __str__(self):
        return self.code

    @property
    def code(self):
        return f"C-{self.pk}"

    def get_absolute_url(self):
        return f"/claims/{self.code}/"


class ClaimStep(models.Model):
    """One thing that happened to a claim, in order. Append-only."""

    claim = models.ForeignKey(Claim, models.CASCADE, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=12)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self):
        return f"{self.claim} {self.what}"
