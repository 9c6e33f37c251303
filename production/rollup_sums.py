"""Exact numbers, and the sums of lots (ROL-2). Of whole buckets the database keeps them (`production.rollups`)."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from production.errors import BadInput

Number: TypeAlias = int | Decimal | Fraction

SUMMAND_PLACES = 12


def _whole(value: Number, places: int) -> int:
    """`value` times ten to the `places`, as the nearest integer, halves away from zero."""
    top, bottom = value.as_integer_ratio()
    digits = (2 * abs(top) * int(10**places) + bottom) // (2 * bottom)
    return -digits if top < 0 else digits


def fraction(value: Number) -> Fraction:
    """The number as a fraction; one that is a fraction already costs nothing."""
    return value if isinstance(value, Fraction) else Fraction(value)


def ratio(part: Number, whole: Number) -> Fraction:
    """One number by the other, exactly; ZeroDivisionError for a whole of 0."""
    (top, bottom), (whole_top, whole_bottom) = part.as_integer_ratio(), whole.as_integer_ratio()
    return Fraction(top * whole_bottom, bottom * whole_top)


def half_up(value: Number, places: int) -> Decimal:
    """Round exactly to `places` decimals, halves away from zero (G-3); the result shows exactly that many decimals."""
    return Decimal(f"{_whole(value, places)}E{-places}")


def fixed(value: Number, places: int) -> str:
    """The same as text, in plain digits."""
    whole = _whole(value, places)
    digits = str(abs(whole)).rjust(places + 1, "0")
    return f"{'-' if whole < 0 else ''}{digits[:-places]}.{digits[-places:]}" if places else str(whole)


def to_decimal(value: Number) -> Decimal:
    """Write a number as a plain Decimal; one that does not terminate is rounded half up to 12 places (ROL-2)."""
    whole, places = _whole(value, SUMMAND_PLACES), SUMMAND_PLACES
    while places and whole % 10 == 0:
        whole, places = whole // 10, places - 1
    return Decimal(f"{whole}E{-places}")


@dataclass(frozen=True, slots=True)
class LotSums:
    """The sums of one bucket. `s2` is the sum of defective squared / inspected, each summand rounded to 12 places."""

    lots: int = 0
    inspected: int = 0
    defective: int = 0
    s2: Decimal = Decimal("0.000000000000")

    def __add__(self, other: "LotSums") -> "LotSums":
        return LotSums(
            self.lots + other.lots,
            self.inspected + other.inspected,
            self.defective + other.defective,
            half_up(Fraction(self.s2) + Fraction(other.s2), SUMMAND_PLACES),
        )


def lot_sums(defective: int, inspected: int) -> LotSums:
    """The sums of a single lot; impossible counts raise BadInput (DEF-3)."""
    if inspected < 0 or defective < 0 or defective > inspected:
        raise BadInput(f"{defective} defective of {inspected} inspected is impossible.", "defective")
    square = Fraction(defective**2, inspected) if inspected else Fraction(0)
    return LotSums(1, inspected, defective, half_up(square, SUMMAND_PLACES))
