"""What was inspected at one factory, how many units were bad, and the verdict by the sampling plan."""

import math
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from assessments.demo import words
from assessments.demo.calendars import Week
from assessments.demo.catalogue import CATEGORIES
from assessments.demo.facts import Inspection, Line, Lot, Order
from assessments.demo.orders import pick
from assessments.demo.places import SITES, TRANSIT_DAYS
from assessments.demo.profiles import Profile, Quota
from assessments.demo.suppliers import FactorySeed
from production.sampling import plan

AQL_MAJOR, AQL_MINOR = Decimal("2.5"), Decimal("4.0")
SOFT_FROM = 0.01  # soft goods: what a factory has above one per cent counts twice
SOURCES = (("third_party", 62), ("buyer", 38))
CENSUS_DAYS, CENSUS_UNITS = 35, 1800
MIDDLING_LOTS = (1201, 3200)
WINDOW_DAYS = 90


@dataclass(slots=True)
class Slot:
    """One visit that is due: which lot, when, what kind."""

    on: date
    line: Line
    lot: Lot
    stage: str
    source: str
    arrives: date

    @property
    def counts(self) -> bool:
        return self.stage != "inline" and self.source != "factory"


def poisson(rng: random.Random, mean: float) -> int:
    """A count with the given mean (small ones only: it multiplies)."""
    limit, count, product = math.exp(-min(mean, 500)), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


class Inspector:
    """Visits one factory's lots up to the day before `day`."""

    def __init__(
        self, seed: FactorySeed, profile: Profile, day: date, rng: random.Random, weeks: dict[str, Week]
    ) -> None:
        self.seed, self.profile, self.day, self.rng, self.weeks = seed, profile, day, rng, weeks
        self.category = CATEGORIES[seed.category]
        self.carried = 0.0  # defective units that the course asked for and chance has not given yet

    def run(self, orders: list[Order]) -> None:
        slots = sorted(self._slots(orders), key=lambda slot: (slot.on, slot.lot.code, slot.stage, slot.source))
        whole = self._counted_whole(slots)
        bad: dict[int | None, float] = {}
        for ago, rate in self.profile.bad_lots + self._cluster(slots):
            bad[self._slot_near(slots, ago, *MIDDLING_LOTS, taken=bad)] = rate
        critical = {self._slot_near(slots, ago) for ago in self.profile.critical_lots}
        for place, slot in enumerate(slots):
            if slot.counts:
                self._count(slot, bad.get(place), place in critical, place == whole)
            else:
                self._note_down(slot)
        for order in orders:
            for line in order.lines:
                line.lots = [lot for lot in line.lots if lot.inspections or any(d.lot is lot for d in line.deliveries)]

    def _slots(self, orders: list[Order]) -> list[Slot]:
        rng, profile = self.rng, self.profile
        ours, own = Quota(rng), Quota(rng)
        found = []
        lots = [(order, line, lot) for order in orders for line in order.lines for lot in line.lots]
        usual = sum(lot.quantity for *_, lot in lots) / max(1, len(lots))
        for order, line, lot in sorted(lots, key=lambda item: (self._arrival(item[1], item[2]), item[2].code)):
            arrives = self._arrival(line, lot)
            ships = arrives - timedelta(days=TRANSIT_DAYS[self.seed.country, line.site])
            ready = max(self._at_work(ships - timedelta(days=rng.randint(2, 5))), order.ordered_on + timedelta(days=12))
            # What is awaited now was looked at before it left, and big lots are looked at more often.
            awaited = line.fate == "open"
            counted = awaited or ours.takes(min(1.0, profile.inspected * (0.7 + 0.5 * lot.quantity / usual)))
            if counted and not awaited and rng.random() < profile.at_receipt:
                at_dock = self.weeks[SITES[line.site].calendar].on_or_after(arrives + timedelta(days=rng.randint(0, 2)))
                found.append(Slot(at_dock, line, lot, "receiving", "receiving", arrives))
            elif counted:
                found.append(Slot(ready, line, lot, "final", pick(rng, SOURCES), arrives))
            if own.takes(profile.own_reports if not counted else profile.own_reports / 3):
                found.append(Slot(self._at_work(ready - timedelta(days=1)), line, lot, "final", "factory", arrives))
            if counted and rng.random() < profile.inline:
                found.append(
                    Slot(
                        self._at_work(ready - timedelta(days=rng.randint(9, 13))), line, lot, "inline", "buyer", arrives
                    )
                )
        return [slot for slot in found if slot.on < self.day]

    def _arrival(self, line: Line, lot: Lot) -> date:
        return line.arrives[min(line.lots.index(lot), len(line.arrives) - 1)][0]

    def _at_work(self, day: date) -> date:
        return self.weeks[self.seed.calendar].on_or_before(day)

    def _cluster(self, slots: list[Slot]) -> tuple[tuple[int, float], ...]:
        """The days and shares of the lots that hold nearly all defects of the last 90 days."""
        days, share = self.profile.cluster
        units = sum(
            plan(slot.lot.quantity, AQL_MAJOR).n
            for slot in slots
            if slot.counts and (self.day - slot.on).days <= WINDOW_DAYS
        )
        excess = units * (share - self._rate(self.day))
        return tuple((ago, excess / len(days) / plan(MIDDLING_LOTS[0], AQL_MAJOR).n) for ago in days)

    def _slot_near(
        self, slots: list[Slot], ago: int, smallest: int = 0, largest: int = 10**6, taken: Collection = ()
    ) -> int | None:
        """The counted visit nearest to that day, to a lot of such a size."""
        middle = self.day - timedelta(days=ago)
        counted = [
            place
            for place, slot in enumerate(slots)
            if slot.counts and smallest <= slot.lot.quantity <= largest and place not in taken
        ]
        return min(counted, key=lambda place: (abs((slots[place].on - middle).days), place), default=None)

    def _counted_whole(self, slots: list[Slot]) -> int | None:
        """The lot that is counted to the last unit: the smallest big enough one of the weeks around the wanted day."""
        if self.profile.counted_whole is None:
            return None
        middle = self.day - timedelta(days=self.profile.counted_whole)
        near = [
            place for place, slot in enumerate(slots)
            if slot.counts and abs((slot.on - middle).days) <= CENSUS_DAYS
        ]  # fmt: skip
        enough = [place for place in near if slots[place].lot.quantity >= CENSUS_UNITS]
        if enough:
            return min(enough, key=lambda place: slots[place].lot.quantity)
        return max(near, key=lambda place: slots[place].lot.quantity, default=None)

    def _count(self, slot: Slot, rate: float | None, has_critical: bool, whole: bool) -> None:
        rng = self.rng
        quantity = slot.lot.quantity
        major_plan, minor_plan = plan(quantity, AQL_MAJOR), plan(quantity, AQL_MINOR)
        units = quantity if whole else major_plan.n
        wanted = units * (rate or self._rate(slot.on))
        if rate or whole:
            found = round(wanted)
        else:
            aim = max(0.0, wanted + self.carried * 0.5)
            found = round(0.7 * poisson(rng, aim) + 0.3 * aim)
            self.carried += wanted - found
        found = min(max(found, int(has_critical)), units)
        critical = int(has_critical)
        minor = min(poisson(rng, min(units, 400) * 0.016), units - found)
        rejected = critical > 0 or not whole and (found > major_plan.ac or minor > minor_plan.ac)
        spoiled = found if rejected or slot.stage == "receiving" or whole else 0
        first = self._inspection(slot, units, critical, found - critical, minor, rejected)
        first.units_rejected = spoiled
        if spoiled >= 4 and self.profile.loss and rng.random() < 0.18:
            first.material_fault = spoiled // 2
            approved = slot.on + timedelta(days=rng.randint(3, 9))
            first.material_fault_approved_on = approved if approved < self.day else None
            first.note += " About half come from our own material, sample kept."
        slot.lot.inspections.append(first)
        if rejected and slot.stage == "final" and rng.random() < 0.85:
            again = self.weeks[self.seed.calendar].on_or_after(slot.on + timedelta(days=rng.randint(3, 7)))
            if again < self.day:
                self._repeat(slot, again, units)

    def _repeat(self, slot: Slot, on: date, units: int) -> None:
        """The lot was sorted or reworked and is shown again."""
        again = Slot(on, slot.line, slot.lot, "final", slot.source, slot.arrives)
        major = poisson(self.rng, min(units, 400) * 0.006)
        passed = self._inspection(again, min(units, 315), 0, major, poisson(self.rng, 1.5), False)
        passed.is_original = False
        passed.note = f"After rework. {passed.note}".strip()
        slot.lot.inspections.append(passed)

    def _note_down(self, slot: Slot) -> None:
        """An in-line visit, or what the factory reports of itself, which is kinder."""
        units = min(plan(slot.lot.quantity, AQL_MAJOR).n, 80 if slot.stage == "inline" else 125)
        kindness = 0.35 if slot.source == "factory" else 1.15
        major = min(poisson(self.rng, units * self._rate(slot.on) * kindness), units)
        minor = min(poisson(self.rng, units * 0.01), units - major)
        slot.lot.inspections.append(self._inspection(slot, units, 0, major, minor, False))

    def _rate(self, on: date) -> float:
        rate = self.profile.defects.at((self.day - on).days)
        return SOFT_FROM + 2 * (rate - SOFT_FROM) if self.category.is_soft and rate > SOFT_FROM else rate

    def _inspection(self, slot: Slot, units: int, critical: int, major: int, minor: int, rejected: bool) -> Inspection:
        minutes = self.rng.randint(9 * 60, 16 * 60)
        local = datetime.combine(slot.on, time(minutes // 60, minutes % 60), ZoneInfo(self.seed.zone))
        return Inspection(
            inspected_at=local.astimezone(UTC), inspected_on=slot.on, units=units, critical=critical, major=major,
            minor=minor,
            lot_quantity=slot.lot.quantity, stage=slot.stage, source=slot.source,
            verdict="rejected" if rejected else "accepted",
            note=self._findings(slot.line.style.category, critical, major, minor),
        )  # fmt: skip

    def _findings(self, category: str, critical: int, major: int, minor: int) -> str:
        """The findings in words, adding up to the counts."""
        parts = [f"CRITICAL: {words.CRITICAL[category]}."] if critical else []
        for count, kinds in ((major, words.MAJOR[category]), (minor, words.MINOR[category])):
            named = []
            while count:
                share = count if len(named) == 2 else self.rng.randint((count + 1) // 2, count)
                kind = self.rng.choices(kinds, [len(kinds) - place for place in range(len(kinds))])[0]
                if kind not in {name for _, name in named}:
                    named.append((share, kind))
                    count -= share
            parts += [", ".join(f"{share} × {kind}" for share, kind in named) + "."] if named else []
        return " ".join(parts)
