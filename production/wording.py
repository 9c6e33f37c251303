"""Quantities, days and standings of orders in words."""

import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def amount(value) -> str:
    """1200.500000 is "1,200.5"; nothing is a dash."""
    if value is None:
        return "–"
    value = Decimal(value).normalize()
    return f"{value:,.{max(0, -value.as_tuple().exponent)}f}"


def money(value, currency: str, places: int = 2) -> str:
    return "–" if value is None else f"{Decimal(value):,.{places}f} {currency}"


def percent(part, whole) -> str:
    """A share in whole percent, never rounded up to 100 nor down to 0."""
    if not whole:
        return "–"
    share = Decimal(part) * 100 / Decimal(whole)
    shown = min(share.quantize(Decimal(1)), Decimal(99)) if share < 100 else share.quantize(Decimal(1))
    return f"{max(shown, Decimal(1)) if share > 0 else shown} %"


def day(value: datetime.date | None) -> str:
    """14 Nov 2026, or a dash."""
    return date_format(value) if value else "–"


def short_day(value: datetime.date, today: datetime.date) -> str:
    """14 Nov, with the year where it is not this one."""
    return date_format(value, "MONTH_DAY_FORMAT") if value.year == today.year else date_format(value)


def days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": f"{count:,}"}


def days_late(count: int) -> str:
    return _("%(days)s late") % {"days": days(count)}


def place_of(zone: str) -> str:
    """Los Angeles, from America/Los_Angeles."""
    return zone.rpartition("/")[2].replace("_", " ")


def moment(value: datetime.datetime | None, zone: str) -> str:
    """Sat 21 Nov 2026, 09:42 (Los Angeles)."""
    if value is None:
        return "–"
    there = value.astimezone(ZoneInfo(zone))
    return f"{date_format(there, 'D')} {date_format(there, 'DATE_FORMAT')}, {there:%H:%M} ({place_of(zone)})"


def moment_near(value: datetime.datetime, zone: str) -> str:
    """Today, 21 Nov, 09:42 (Los Angeles)."""
    there, today = value.astimezone(ZoneInfo(zone)), timezone.now().astimezone(ZoneInfo(zone)).date()
    named = {today: _("Today"), today - datetime.timedelta(1): _("Yesterday")}.get(
        there.date(), date_format(there, "D")
    )
    return f"{named}, {short_day(there.date(), today)}, {there:%H:%M} ({place_of(zone)})"
