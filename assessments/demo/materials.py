"""What material one factory was given for its orders, what came back, and when the orders were closed."""

import math
import random
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from assessments.demo.catalogue import MATERIALS, MaterialSeed, consumption
from assessments.demo.facts import Line, Movement, Order, Supply
from assessments.demo.orders import RATES
from assessments.demo.profiles import Profile

SPARE = Decimal("1.035")
CUT_TO_SIZE = Decimal("1.008")  # of the need, to most open orders: less than any contract allows to lose
WASTEFUL = "3"  # last digit of the open orders that were given whole packs
SMALL_ELECTRONICS_ALLOWANCE = Decimal("0.01")
CENTS = Decimal("0.0001")


class Stores:
    """Issues and takes back the material of one factory's orders as seen on `day`."""

    def __init__(self, profile: Profile, day: date, rng: random.Random) -> None:
        self.profile, self.day, self.rng = profile, day, rng
        self.documents = rng.randint(1000, 4000)

    def run(self, orders: list[Order]) -> None:
        for order in orders:
            ended = [self._ended_on(line) for line in order.lines]
            if all(ended):
                closed = max(ended) + timedelta(days=self.rng.randint(10, 26))
                order.closed_on = closed if closed < self.day else None
        over = [order for order in orders if order.closed_on and self._last_came(order) < self.day - timedelta(days=33)]
        for order in sorted(over, key=self._last_came)[len(over) - self.profile.unclosed :]:
            order.closed_on = None  # its goods came long ago, and nobody has reconciled its material
        if self.profile.loss is None:
            return
        supplied = [order for order in orders if any(line.arrives or line.fate == "never" for line in order.lines)]
        for order in supplied:
            self._issue(order)
        for order in sorted((o for o in supplied if o.closed_on), key=lambda o: (o.closed_on, o.number)):
            for supply in order.supplies:
                self._settle(order, supply, supplied)

    def _last_came(self, order: Order) -> date:
        return max((delivery.received_on for line in order.lines for delivery in line.deliveries), default=date.min)

    def _ended_on(self, line: Line) -> date | None:
        """The day after which nothing more is to come for a line; None while something is."""
        if line.closed_short_on:
            return line.closed_short_on
        if sum(cancelled.quantity for cancelled in line.cancellations) == line.quantity:
            return line.cancellations[-1].cancelled_on
        if line.fate in ("short", "under", "never") or not line.arrives:
            return None
        known = [delivery.known_on for delivery in line.deliveries]
        return max(known) if line.arrives[-1][0] < self.day and known else None

    def _issue(self, order: Order) -> None:
        rng = self.rng
        first = (order.confirmed_on or order.ordered_on) + timedelta(days=rng.randint(4, 9))
        if first >= self.day or order.confirmed_on is None:
            return
        style = order.lines[0].style
        for code, _ in style.bill:
            material = MATERIALS[code]
            electronic = style.category == "small-electronics"
            supply = Supply(
                code, order.currency,
                allowance=SMALL_ELECTRONICS_ALLOWANCE if electronic else None, base="theoretical" if electronic else "",
            )  # fmt: skip
            need = sum(self._per_unit(line, code) * line.quantity for line in order.lines)
            # Packs are counted in the unit of the documents: rolls of 50 yards, bales of 25 kilograms.
            _, numerator, denominator = material.entered or (material.unit, 1, 1)
            packs = math.ceil(need * SPARE * denominator / numerator / material.pack)
            cost = Decimal(material.cost) * RATES[order.currency] * Decimal(1 + rng.uniform(-0.03, 0.03))
            cost = cost.quantize(CENTS, ROUND_HALF_UP)
            later = first + timedelta(days=rng.randint(6, 10))
            parts = (
                [packs] if packs < 8 or rng.random() < 0.6 or later >= self.day else [packs - packs // 3, packs // 3]
            )
            exact = not order.closed_on and order.number[-1] != WASTEFUL
            for on, part in zip((first, later), parts, strict=False):
                to_size = self._round(need * CUT_TO_SIZE * part / packs, material)
                given = to_size if exact else Decimal(part * material.pack)
                supply.movements.append(self._in(material, on, given, cost, exact))
            order.supplies.append(supply)

    def _settle(self, order: Order, supply: Supply, orders: list[Order]) -> None:
        """Balances a closed order so that the share lost is the one of the profile."""
        rng, material = self.rng, MATERIALS[supply.material]
        single = dict(self.profile.material_loss)
        if supply.material in single:
            rate = single[supply.material] * rng.uniform(0.88, 1.12)
        else:
            rate = self.profile.loss.at((self.day - order.closed_on).days) * rng.uniform(0.78, 1.22)
        theoretical = sum(self._per_unit(line, supply.material) * self._credited(line) for line in order.lines)
        came = sum(move.quantity * move.numerator / move.denominator for move in supply.movements)
        spare = self._round(came - theoretical / (1 - Decimal(rate)), material)
        cost = supply.movements[0].cost
        if spare < 0:
            on = supply.movements[-1].moved_on + timedelta(days=rng.randint(5, 12))
            supply.movements.append(self._in(material, min(on, order.closed_on), -spare, cost, exact=True))
        elif spare > came / 400:
            on = order.closed_on - timedelta(days=rng.randint(1, 6))
            little = spare < came / 12 and rng.random() < 0.12
            other = self._takes_over(order, supply, orders, on) if little else None
            kind = "transfer_out" if other else "return"
            supply.movements.append(Movement(kind, on, spare, material.unit, document=self._document("MR")))
            if other:
                document = supply.movements[-1].document
                other.movements.append(Movement("transfer_in", on, spare, material.unit, cost=cost, document=document))
        lost = theoretical * Decimal(rate)
        if material.places and lost > 10 and rng.random() < 0.3:
            scrap = self._round(lost * Decimal(rng.uniform(0.2, 0.45)), material)
            salvage = (cost * Decimal("0.12")).quantize(CENTS)
            supply.movements.append(
                Movement("scrap", order.closed_on - timedelta(days=1), scrap, material.unit, salvage=salvage,
                         document=self._document("MS"))
            )  # fmt: skip

    def _takes_over(self, order: Order, supply: Supply, orders: list[Order], on: date) -> Supply | None:
        """The same material of another order that is still in work on that day."""
        for other in orders:
            if (
                other is order
                or other.closed_on
                and other.closed_on <= on + timedelta(days=8)
                or other.currency != order.currency
            ):
                continue
            for candidate in other.supplies:
                if candidate.material == supply.material and candidate.movements[0].moved_on < on:
                    return candidate
        return None

    def _in(self, material: MaterialSeed, on: date, quantity: Decimal, cost: Decimal, exact: bool = False) -> Movement:
        unit, numerator, denominator = (not exact and material.entered) or (material.unit, 1, 1)
        return Movement("issue", on, quantity, unit, numerator, denominator, cost, document=self._document("MI"))

    def _per_unit(self, line: Line, code: str) -> Decimal:
        return consumption(line.style, line.bill).get(code, Decimal(0)) if line.bill else Decimal(0)

    def _credited(self, line: Line) -> int:
        """Good units: received, less what the counted inspections rejected, plus what our own material spoiled."""
        counted = [
            found for lot in line.lots for found in lot.inspections
            if found.is_original and found.stage != "inline" and found.source != "factory"
        ]  # fmt: skip
        spoiled = sum(f.units_rejected - (f.material_fault if f.material_fault_approved_on else 0) for f in counted)
        return sum(delivery.quantity for delivery in line.deliveries) - spoiled

    def _round(self, quantity: Decimal, material: MaterialSeed) -> Decimal:
        return quantity.quantize(Decimal(1).scaleb(-material.places), ROUND_HALF_UP)

    def _document(self, prefix: str) -> str:
        self.documents += self.rng.randint(1, 6)
        return f"{prefix}-{self.documents}"
