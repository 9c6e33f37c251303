"""The whole demo company as it looks on one day: the same day gives the same company, row for row."""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from assessments.demo import calendars, orders
from assessments.demo.calendars import CALENDARS, DayOff, Week
from assessments.demo.deliveries import Receiver
from assessments.demo.facts import Order
from assessments.demo.inspections import Inspector
from assessments.demo.materials import Stores
from assessments.demo.profiles import PROFILES
from assessments.demo.suppliers import FACTORIES

SEED = "quillmoor"
CALENDAR_BEHIND_DAYS, CALENDAR_AHEAD_DAYS = 700, 400


@dataclass(slots=True)
class Company:
    """Everything that happened before `day`, and what is promised after it."""

    day: date
    days_off: list[DayOff]
    orders: list[Order]


def build(day: date, scale: int = 1) -> Company:
    """The company on `day`; `scale` multiplies the number of orders."""
    days_off = calendars.exceptions(
        day - timedelta(days=CALENDAR_BEHIND_DAYS), day + timedelta(days=CALENDAR_AHEAD_DAYS)
    )
    weeks = {seed.code: Week(seed, days_off) for seed in CALENDARS}
    planned = []
    for seed in FACTORIES:
        rng = random.Random(f"{SEED} {seed.code}")
        profile = PROFILES[seed.profile]
        planned.append((seed, profile, rng, orders.Planner(seed, profile, day, rng, weeks).orders(scale)))
    found = [order for *_, own in planned for order in own]
    orders.number(found)
    for seed, profile, rng, own in planned:
        Receiver(profile, day, rng, weeks).run(own)
        Inspector(seed, profile, day, rng, weeks).run(own)
        Stores(profile, day, rng).run(own)
    return Company(day, days_off, found)
