"""The pure model of the daily sums: which buckets a change touches, and what a bucket holds (ROL-1 to ROL-4).

The database keeps the same sums with triggers and SQL; this model is the reference that both are tested against.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import TypeAlias

from production.errors import BadInput

Number: TypeAlias = int | Decimal | Fraction
Bucket: TypeAlias = tuple[Hashable, date]

SUMMAND_PLACES = 12


def half_up(value: Number, places: int) -> Decimal:
    """Round exactly to `places` decimals, halves away from zero (G-3). The result carries exactly `places` decimals."""
    scaled = Fraction(value) * 10**places
    digits = floor(abs(scaled) + Fraction(1, 2))
    return Decimal((int(scaled < 0 and digits != 0), tuple(int(digit) for digit in str(digits)), -places))


def to_decimal(value: Number) -> Decimal:
    """Write a number as a Decimal without trailing zeros; one that does not terminate is rounded to 12 places (ROL-2)."""
    places = SUMMAND_PLACES
    digits = int(half_up(value, places).scaleb(places)) if isinstance(value, int) else _scaled(value, places)
    while places and digits % 10 == 0:
        digits //= 10
        places -= 1
    sign, text = int(digits < 0), str(abs(digits))
    return Decimal((sign, tuple(int(digit) for digit in text), -places))
