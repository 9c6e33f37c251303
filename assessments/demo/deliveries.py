"""What becomes of the order lines of one factory: when the goods arrive, and what was agreed or given up on the way."""

import math
import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from assessments.demo import words
from assessments.demo.calendars import Week
from assessments.demo.catalogue import CATEGORIES
from assessments.demo.facts import Cancellation, Delivery, Line, Lot, Order, Revision
from assessments.demo.orders import pick
from assessments.demo.places import SITES
from assessments.demo.profiles import Profile, Quota

HITS = (
    ("single", 64), ("split", 15), ("over", 6), ("buyer_revised", 4), ("buyer_cut", 3), ("reversed", 3), ("damaged", 3),
    ("cancelled", 2), ("force_majeure", 1),
)  # fmt: skip
MISSES = (
    ("late", 56), ("late_split", 19), ("factory_revised", 8), ("short", 7), ("refused", 4), ("gave_up", 3),
    ("factory_cancelled", 3),
)  # fmt: skip
HOLIDAY_FACTOR = 1.7


class Receiver:
    """Decides the fate of each line of one factory and books what has arrived before `day`."""

    def __init__(self, profile: Profile, day: date, rng: random.Random, weeks: dict[str, Week]) -> None:
        self.profile, self.day, self.rng, self.weeks = profile, day, rng, weeks
        self.quota = Quota(rng)

    def run(self, orders: list[Order]) -> None:
        lines = [(line, order) for order in orders for line in order.lines]
        for line, order in sorted(lines, key=lambda pair: (pair[0].due_on, pair[1].ordered_on, pair[0].number)):
            line.fate = line.fate or self._choose(line, order)
            self._plan(line, order)
            self._forecast(line)
        for line, order in lines:
            self._book(line, order)

    def _choose(self, line: Line, order: Order) -> str:
        share = self.profile.late.at((self.day - line.due_on).days)
        if self.weeks[order.factory.calendar].is_after_long_holiday(line.due_on - timedelta(days=14)):
            share *= HOLIDAY_FACTOR
        if self.quota.takes(min(share, 0.9)):
            extra = ((("split", 25),) if line.terms.single_delivery else ()) + (
                (("too_early", 40),) if line.terms.early_policy == "miss" else ()
            )
            return pick(self.rng, MISSES + extra)
        hits = tuple(hit for hit in HITS if not (line.terms.single_delivery and hit[0] in ("split", "reversed")))
        return pick(self.rng, hits + ((("under", 6),) if line.terms.tol_under != "0" else ()))

    # The plan: days and quantities, also those still to come

    def _plan(self, line: Line, order: Order) -> None:
        rng, due, quantity = self.rng, line.due_on, line.quantity
        fate = line.fate
        if fate == "open":
            line.arrives = [(max(due, self.day), quantity)]
        elif fate == "overdue":
            line.arrives = [(self.day + timedelta(days=rng.randint(3, 9)), quantity)]
        elif fate == "never":
            line.arrives = []
        elif fate in ("single", "damaged", "reversed"):
            line.arrives = [(self._in_time(line), quantity)]
        elif fate == "split":
            last = self._in_time(line)
            first = self._open_before(line, last - timedelta(days=rng.randint(2, 6)))
            part = self._part(line, rng.uniform(0.4, 0.75))
            line.arrives = [(first, part), (last, quantity - part)]
        elif fate == "too_early":
            line.arrives = [
                (self._open_before(line, due - timedelta(days=line.terms.early_days + rng.randint(2, 6))), quantity)
            ]
        elif fate == "over":
            line.arrives = [(self._in_time(line), quantity + max(1, round(quantity * rng.uniform(0.008, 0.03))))]
        elif fate == "under":
            line.arrives = [
                (self._in_time(line), math.ceil(quantity * (1 - float(line.terms.tol_under) * rng.uniform(0.3, 0.9))))
            ]
            self._close_short(line)
        elif fate == "short":
            missing = float(line.terms.tol_under) + rng.uniform(0.03, 0.09)
            line.arrives = [(self._in_time(line), round(quantity * (1 - missing)))]
            self._close_short(line)
        elif fate in ("late", "refused"):
            line.arrives = [(self._too_late(line), quantity)]
        elif fate == "late_split":
            part = self._part(line, rng.uniform(0.45, 0.85))
            line.arrives = [(self._in_time(line), part), (self._too_late(line), quantity - part)]
        elif fate in ("buyer_revised", "force_majeure", "factory_revised"):
            self._revise(line)
        if fate == "refused":
            asked = due - timedelta(days=rng.randint(2, 9))
            if asked < self.day:
                line.revisions.append(
                    Revision(line.arrives[0][0], "force_majeure", rng.choice(words.REFUSED_REVISIONS), asked, None)
                )
        self._cancel(line)

    def _revise(self, line: Line) -> None:
        rng, due = self.rng, line.due_on
        causes = {
            "buyer_revised": ("buyer", words.BUYER_REVISIONS), "force_majeure": ("force_majeure", words.FORCE_MAJEURE),
            "factory_revised": ("factory", words.FACTORY_REVISIONS),
        }  # fmt: skip
        cause, reasons = causes[line.fate]
        new = self._open_after(line, due + timedelta(days=rng.randint(6, 15)))
        asked = due - timedelta(days=rng.randint(5, 18))
        approved = asked + timedelta(days=rng.randint(1, 4))
        line.arrives = [(new if cause == "factory" else self._open_before(line, new), line.quantity)]
        if asked >= self.day:
            line.fate, line.arrives = "single", [(self._in_time(line), line.quantity)]
            return
        known = approved if approved < self.day else None
        line.revisions.append(Revision(new, cause, rng.choice(reasons), asked, known))

    def _cancel(self, line: Line) -> None:
        rng, due, quantity = self.rng, line.due_on, line.quantity
        if line.fate == "buyer_cut":
            off = self._part(line, rng.uniform(0.15, 0.35))
            on = due - timedelta(days=rng.randint(12, 20))
            if on >= self.day:
                line.fate, line.arrives = "single", [(self._in_time(line), quantity)]
                return
            line.arrives = [(self._in_time(line), quantity - off)]
            line.cancellations.append(Cancellation(off, on, "buyer", rng.choice(words.BUYER_CANCELLATIONS)))
        elif line.fate in ("cancelled", "factory_cancelled", "gave_up"):
            offset = {
                "cancelled": -rng.randint(14, 24),
                "factory_cancelled": -rng.randint(1, 12),
                "gave_up": rng.randint(9, 30),
            }
            on = due + timedelta(days=offset[line.fate])
            reasons, by = {
                "cancelled": (words.BUYER_CANCELLATIONS, "buyer"), "gave_up": (words.GIVING_UP, "buyer"),
                "factory_cancelled": (words.FACTORY_CANCELLATIONS, "factory"),
            }[line.fate]  # fmt: skip
            line.arrives = []
            if on < self.day:
                line.cancellations.append(Cancellation(quantity, on, by, rng.choice(reasons)))
            elif line.fate != "gave_up":
                line.fate, line.arrives = "single", [(self._in_time(line), quantity)]

    def _close_short(self, line: Line) -> None:
        closed = line.arrives[-1][0] + timedelta(days=self.rng.randint(5, 12))
        if closed < self.day:
            line.closed_short_on = closed

    def _forecast(self, line: Line) -> None:
        """The day the factory names now: its promise, until a delay shows about two weeks ahead."""
        if line.committed_on is None:
            return
        last = line.arrives[-1][0] if line.arrives else None
        if line.fate == "never":
            line.forecast_on = self.day + timedelta(days=12)
        elif last and last > line.due_on and (line.due_on - self.day).days <= 12:
            line.forecast_on = last
        else:
            line.forecast_on = line.due_on

    def _in_time(self, line: Line) -> date:
        early = min(14, round(self.rng.expovariate(1 / 2.6)))
        if line.terms.early_days is not None:
            early = min(early, line.terms.early_days - 3)
        if line.terms.grace_days and self.rng.random() < 0.12:
            return self._open_after(line, line.due_on + timedelta(days=1))
        return self._open_before(line, line.due_on - timedelta(days=early))

    def _too_late(self, line: Line) -> date:
        days = 1 + line.terms.grace_days * 2 + min(27, round(self.rng.expovariate(1 / 6.5)))
        return self._open_after(line, line.due_on + timedelta(days=days))

    def _open_before(self, line: Line, day: date) -> date:
        return self.weeks[SITES[line.site].calendar].on_or_before(day)

    def _open_after(self, line: Line, day: date) -> date:
        return self.weeks[SITES[line.site].calendar].on_or_after(day)

    def _part(self, line: Line, share: float) -> int:
        per_carton = CATEGORIES[line.style.category].per_carton
        return max(per_carton, round(line.quantity * share / per_carton) * per_carton)

    # What has arrived

    def _book(self, line: Line, order: Order) -> None:
        rng = self.rng
        quantities = [quantity for _, quantity in line.arrives]
        apart = len(quantities) > 1 and rng.random() < 0.55
        stem = f"{order.number[3:]}-{line.number[1:]}"
        if apart:
            line.lots = [Lot(f"{stem}{letter}", quantity) for letter, quantity in zip("ABC", quantities, strict=False)]
        elif quantities:
            line.lots = [Lot(f"{stem}A", sum(quantities))]
        for place, (on, quantity) in enumerate(line.arrives):
            if on >= self.day:
                continue
            delivery = self._receipt(line, on, quantity, line.lots[place if apart else 0])
            line.deliveries.append(delivery)
            if line.fate == "damaged":
                delivery.damaged = rng.randint(1, 4) * CATEGORIES[line.style.category].per_carton
                delivery.reason = rng.choice(words.DAMAGES)
            elif line.fate == "reversed":
                self._correct(line, delivery)

    def _receipt(self, line: Line, on: date, quantity: int, lot: Lot) -> Delivery:
        rng = self.rng
        clock = 7 * 60 + min(rng.betavariate(1.6, 2.6), 1) * 9.5 * 60
        local = datetime.combine(on, time(int(clock // 60), int(clock % 60)), ZoneInfo(SITES[line.site].zone))
        tolerance = float(line.terms.tol_over or 0)
        return Delivery(
            quantity=quantity, received_at=local.astimezone(UTC), received_on=on, known_on=on, lot=lot,
            document=f"PL-{rng.randint(20000, 98999)}",
            cartons=math.ceil(quantity / CATEGORIES[line.style.category].per_carton),
            note=rng.choice(words.DELIVERY_NOTES) if rng.random() < 0.05 else "",
            is_over=line.fate == "over" and quantity > line.quantity * (1 + tolerance),
        )  # fmt: skip

    def _correct(self, line: Line, receipt: Delivery) -> None:
        """The first count was wrong: it is taken back on the next day and booked anew with the right quantity."""
        right = receipt.quantity
        receipt.quantity = right + self._part(line, 0.1)
        known = self._open_after(line, receipt.received_on + timedelta(days=1))
        if known >= self.day:
            return
        line.deliveries.append(
            Delivery(
                quantity=-receipt.quantity, received_at=receipt.received_at, received_on=receipt.received_on,
                known_on=known,
                lot=receipt.lot, reverses=receipt, document=receipt.document, reason=self.rng.choice(words.MISCOUNTS),
            )
        )  # fmt: skip
        again = self._receipt(line, receipt.received_on, right, receipt.lot)
        again.document = receipt.document
        line.deliveries.append(again)
