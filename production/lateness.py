"""When a fact comes late: the month of its day is over, and its grade published."""

import datetime

from factories.models import FIRST_DAY


def is_published(day: datetime.date, today: datetime.date) -> bool:
    """Whether the month of `day` was over before `today`: whoever writes for it says why (SCO-8).

    Days before the calendar begins are no days to write for; they are refused elsewhere.
    """
    return FIRST_DAY <= day < today.replace(day=1)
