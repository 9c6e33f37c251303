"""The orders of one factory: which articles, how many, for when, confirmed or not yet."""

import random
from datetime import date, timedelta
from decimal import Decimal

from assessments.demo import words
from assessments.demo.calendars import Week, spring_festival
from assessments.demo.catalogue import CATEGORIES, SECOND_BILL, SECOND_BILL_DAYS_AGO, STYLES, StyleSeed
from assessments.demo.facts import Line, Order
from assessments.demo.places import SITES, TRANSIT_DAYS
from assessments.demo.profiles import Profile
from assessments.demo.suppliers import FactorySeed

SEASON = {1: 0.8, 2: 0.75, 3: 0.9, 4: 0.95, 5: 1.0, 6: 1.0, 7: 1.1, 8: 1.2, 9: 1.25, 10: 1.2, 11: 1.0, 12: 0.85}
LINES = ((1, 34), (2, 36), (3, 20), (4, 10))
WEEKDAYS = ((0, 12), (1, 22), (2, 25), (3, 24), (4, 17))
RATES = {"USD": Decimal(1), "EUR": Decimal("0.92"), "CNY": Decimal("7.15")}
SHORTEST_LEAD, LONGEST_LEAD = 30, 75


def pick(rng: random.Random, weighted: tuple[tuple, ...]):
    """One of the (value, weight) pairs' values."""
    return rng.choices([value for value, _ in weighted], [weight for _, weight in weighted])[0]


def to_weekday(day: date) -> date:
    """The day itself, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


class Planner:
    """Writes the orders of one factory as seen on `day`."""

    def __init__(
        self, seed: FactorySeed, profile: Profile, day: date, rng: random.Random, weeks: dict[str, Week]
    ) -> None:
        self.seed, self.profile, self.day, self.rng, self.weeks = seed, profile, day, rng, weeks
        self.category = CATEGORIES[seed.category]

    def orders(self, scale: int) -> list[Order]:
        found = []
        pace = self.profile.lines_a_month * scale
        due = float((self.day - timedelta(days=self.profile.begins)).toordinal() + self.rng.uniform(0, 5))
        while pace and due < (self.day - timedelta(days=self.profile.ends)).toordinal():
            wanted = date.fromordinal(int(due))
            count = pick(self.rng, LINES)
            monday = wanted - timedelta(days=wanted.weekday())
            found.append(self._order(monday + timedelta(days=pick(self.rng, WEEKDAYS)), count, ""))
            due += count * 30 / pace * self.rng.uniform(0.65, 1.35) / self._season(wanted)
        for ago, fate in self.profile.orders:
            found.append(self._order(self.day - timedelta(days=ago), 2 if fate == "open" else 1, fate))
        return [order for order in found if order.ordered_on < self.day]

    def _season(self, day: date) -> float:
        spring = spring_festival(day.year)
        closed = self.seed.country in ("CN", "VN") and -4 <= (day - spring).days <= 26
        return SEASON[day.month] * (0.5 if closed else 1)

    def _order(self, due: date, count: int, fate: str) -> Order:
        rng, seed = self.rng, self.seed
        site = pick(rng, tuple((code, 6 - 2 * place) for place, code in enumerate(seed.sites)))
        style = STYLES[pick(rng, tuple((key, 3 - place) for place, key in enumerate(seed.styles)))]
        lead = self.category.making_days + TRANSIT_DAYS[seed.country, site] + rng.randint(0, 9)
        lead = min(max(lead, SHORTEST_LEAD), LONGEST_LEAD)
        ordered = to_weekday(due - timedelta(days=lead))
        confirmed = self.weeks[seed.calendar].on_or_after(ordered + timedelta(days=rng.choice((1, 1, 2, 2, 3, 4))))
        cycle = None
        if self.profile.cycle and not fate:
            cycle = round((due - confirmed).days / 5) * 5
            due = confirmed + timedelta(days=cycle)
        if not fate and self.profile.terms.rolls_to_working_day:
            due = self.weeks[SITES[site].calendar].on_or_after(due)
        currency = rng.choice(seed.currencies)
        order = Order(
            factory=seed, currency=currency, ordered_on=ordered, lines=[], cycle_days=cycle,
            confirmed_on=confirmed if confirmed < self.day else None,
            note=self._note(fate),
        )  # fmt: skip
        variants = rng.sample(style.variants, min(count, len(style.variants)))
        staggered = len(variants) > 2 and not fate and not cycle and rng.random() < 0.3
        for place, (suffix, _) in enumerate(variants):
            own_due = due + timedelta(days=7) if staggered and place == len(variants) - 1 else due
            order.lines.append(self._line(order, place + 1, style, suffix, site, own_due, fate))
        return order

    def _line(self, order: Order, place: int, style: StyleSeed, suffix: str, site: str, due: date, fate: str) -> Line:
        rng, category = self.rng, self.category
        steps = (category.largest - category.smallest) // category.step
        quantity = category.smallest + round(steps * min(rng.betavariate(1.4, 3.6), 1)) * category.step
        # A price rises a little over the years, and each order is haggled.
        years_ago = (self.day - order.ordered_on).days / 365
        price = Decimal(style.price) * RATES[order.currency] * Decimal(1 - 0.025 * years_ago + rng.uniform(-0.02, 0.02))
        asked = due - timedelta(days=rng.choice((0, 0, 0, 0, 2, 5, 7)))
        second = style.key == SECOND_BILL[0] and (self.day - order.ordered_on).days <= SECOND_BILL_DAYS_AGO
        return Line(
            number=f"L{place}", product=f"{style.sku}-{suffix}", style=style, site=site, quantity=quantity,
            price=price.quantize(Decimal("0.01")), due_on=due, requested_on=asked,
            bill=(2 if second else 1) if style.bill and self.profile.loss else None, terms=self.profile.terms,
            fate=fate,
            committed_on=due if order.confirmed_on else None, frozen_on=order.confirmed_on,
        )  # fmt: skip

    def _note(self, fate: str) -> str:
        if fate == "never":
            return words.NEVER_NOTE
        if fate == "overdue":
            return words.LATE_NOTE
        return self.rng.choice(words.ORDER_NOTES) if self.rng.random() < 0.16 else ""


def number(orders: list[Order]) -> None:
    """Gives every order its number, PO, year and a running number, in the order in which they were written."""
    counters: dict[int, int] = {}
    for order in sorted(orders, key=lambda order: (order.ordered_on, order.factory.code)):
        year = order.ordered_on.year
        if year not in counters:
            counters[year] = order.ordered_on.timetuple().tm_yday * 2
        counters[year] += 1
        order.number = f"PO-{year % 100:02d}-{counters[year]:04d}"
