"""Placing an order: what the factory's standing says of it, read from the database, and what is kept of that."""

import datetime
from decimal import Decimal

from django.db.models import DecimalField, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest

from factories.models import Category, Factory, Standing, StandingOverride
from production import switching
from production.models import Cancellation, Delivery, OrderLine, PurchaseOrder
from production.permission import Amounts, Decision, may_order
from production.strictness import plainly

NUMBER = DecimalField(max_digits=38, decimal_places=12)


def decide(factory: Factory, new_value: Amounts, day: datetime.date) -> Decision:
    """May the factory be given this order on the day? At most three queries, and one where inspection is discontinued."""
    lots = switching.rows_of_outer("factory_id", day)
    standing = Standing.objects.filter(factory=factory).annotate(judged_lots=lots).first()
    if standing is None:
        stopped = discontinued(switching.of(factory, day))
        return may_order(None, StandingOverride.objects.filter(factory=factory).in_force(day), {}, {}, day, stopped)
    stopped = discontinued(switching.states(standing.judged_lots, standing.corrected_on))
    overrides = StandingOverride.objects.filter(factory=factory).in_force(day)
    held = open_value(factory) if standing.max_open_value is not None else {}
    return may_order(standing, overrides, held, new_value, day, stopped)


def discontinued(states: dict[int, switching.State]) -> list[str]:
    """Each category of which inspection is discontinued, in a sentence. One query where there is one."""
    stopped = {category: state for category, state in states.items() if state.is_discontinued}
    named = Category.objects.filter(pk__in=stopped).order_by("name") if stopped else []
    return [f"{category.name}: {plainly(stopped[category.pk])}" for category in named]


def hold(factory: Factory) -> None:
    """Nobody else places an order with this factory until the transaction ends: two may not pass one cap."""
    Standing.objects.select_for_update().filter(factory=factory).first()


def open_value(factory: Factory) -> dict[str, Decimal]:
    """The worth of what is still to come on open orders of a factory, by currency; a line without a price adds nothing."""
    lines = OrderLine.objects.filter(
        factory=factory, order__closed_on=None, closed_short_on=None, unit_price__isnull=False
    ).exclude(outcome__is_open=False)
    left = Greatest(F("quantity") - _sum(Delivery) - _sum(Cancellation), 0, output_field=NUMBER)
    found = lines.values("order__currency").annotate(worth=Sum(left * F("unit_price"), output_field=NUMBER)).order_by()
    return dict(found.values_list("order__currency", "worth"))


def _sum(model) -> Coalesce:
    """The quantity in the rows of a model that hang on the outer line."""
    rows = model.objects.filter(line=OuterRef("pk")).order_by().values("line").annotate(sum=Sum("quantity"))
    return Coalesce(Subquery(rows.values("sum")), 0, output_field=NUMBER)


def note_of(decision: Decision, user, day: datetime.date) -> str:
    """What an order keeps of a warning that was ticked, or of the override it was placed under; else nothing."""
    return f"{day:%Y-%m-%d}, {user}: {' '.join(decision.reasons)}" if decision.reasons else ""


def add_note(order: PurchaseOrder, text: str) -> None:
    """One more line of the internal note, said once."""
    if text and text not in order.note:
        order.note = f"{order.note}\n{text}".strip()
        order.save(update_fields=["note"])


def deposit_terms(factory: Factory) -> str:
    """What is to be paid when, as the factory's grade has it now."""
    standing = getattr(factory, "standing", None)
    return standing.deposit_terms if standing else ""
