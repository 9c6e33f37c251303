"""Numbers as people read them: percentages, counts, money, days; in the active language."""

import calendar
import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext

from production.reconcile import minor_unit

NONE = "–"


def percent(rate: object, places: int = 2) -> str:
    """A rate 0..1 with a fixed number of decimals, half up (G-3): "71.43%"; a dash for None."""
    if rate is None:
        return NONE
    return f"{_round(Decimal(str(rate)) * 100, places)}%"


def plain_percent(rate: object) -> str:
    """A threshold without the decimals that say nothing: "3%", "2.5%"."""
    if rate is None:
        return NONE
    value = (Decimal(str(rate)) * 100).normalize()
    places = max(0, -int(value.as_tuple().exponent))
    return f"{number_format(value.quantize(Decimal(1).scaleb(-places)), places)}%"


def points(value: object, places: int = 2) -> str:
    return NONE if value is None else _round(Decimal(str(value)), places)


def count(value: object) -> str:
    """A whole number with its thousands; a dash for None."""
    return NONE if value is None else number_format(int(str(value)), 0, force_grouping=True)


def quantity(value: Decimal | None) -> str:
    """A quantity without trailing zeros."""
    if value is None:
        return NONE
    value = Decimal(value).normalize()
    places = max(0, -int(value.as_tuple().exponent))
    return number_format(value.quantize(Decimal(1).scaleb(-places)), places, force_grouping=True)


def money(value: object, currency: str | None) -> str:
    """An amount with its currency code, rounded once to the currency's minor unit: "USD 1,234.50"."""
    if value is None:
        return NONE
    places = minor_unit(currency) if currency else 2
    return f"{currency or ''} {_round(Decimal(str(value)), places)}".strip()


def unit_money(value: Decimal, currency: str) -> str:
    """A cost of one unit with every place it has, so that quantity times cost can be checked: "USD 0.0123"."""
    places = max(minor_unit(currency), -int(Decimal(value).normalize().as_tuple().exponent))
    return f"{currency} {_round(Decimal(value), places)}"


def chance(p: float) -> str:
    """A probability for a sentence: "18.9%", "0.04%", "less than 0.01%"."""
    if p < 0.0001:
        return gettext("less than %(value)s") % {"value": percent(Decimal("0.0001"))}
    return percent(Decimal(repr(p)), 1 if p >= 0.001 else 2)


def day(value: datetime.date | datetime.datetime | str | None) -> str:
    if value is None or value == "":
        return NONE
    return date_format(datetime.date.fromisoformat(value) if isinstance(value, str) else value, "DATE_FORMAT")


def month_name(value: datetime.date) -> str:
    return date_format(value, "M Y")


def month_end(value: datetime.date) -> datetime.date:
    return value.replace(day=calendar.monthrange(value.year, value.month)[1])


def closed_months(today: datetime.date, how_many: int = 12) -> list[datetime.date]:
    """The last days of the last closed months, oldest first; a month closes with its last day."""
    end = today if today == month_end(today) else today.replace(day=1) - datetime.timedelta(days=1)
    ends = [end]
    while len(ends) < how_many:
        ends.append(ends[-1].replace(day=1) - datetime.timedelta(days=1))
    return ends[::-1]


def _round(value: Decimal, places: int) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return number_format(rounded + 0 if rounded else abs(rounded), places, force_grouping=True)


COUNTRIES = {
    "BD": "Bangladesh", "BR": "Brazil", "CN": "China", "CZ": "Czechia", "DE": "Germany", "EG": "Egypt",
    "ES": "Spain", "ET": "Ethiopia", "FR": "France", "GB": "United Kingdom", "HK": "Hong Kong", "ID": "Indonesia",
    "IN": "India", "IT": "Italy", "JP": "Japan", "KH": "Cambodia", "KR": "South Korea", "LK": "Sri Lanka",
    "MA": "Morocco", "MG": "Madagascar", "MM": "Myanmar", "MX": "Mexico", "MY": "Malaysia", "NP": "Nepal",
    "PH": "Philippines", "PK": "Pakistan", "PL": "Poland", "PT": "Portugal", "RO": "Romania", "TH": "Thailand",
    "TN": "Tunisia", "TR": "Türkiye", "TW": "Taiwan", "UA": "Ukraine", "US": "United States", "VN": "Vietnam",
}  # fmt: skip


def country_name(code: str) -> str:
    """The usual name of a country we buy from; the code itself for others."""
    return COUNTRIES.get(code, code)
