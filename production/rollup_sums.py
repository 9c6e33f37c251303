"""The pure model of the daily sums: which buckets a change touches, and what a bucket holds (ROL-1 to ROL-4).

The database keeps the same sums by triggers and SQL; this model is the reference that both are tested against.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from production.errors import BadInput

Number: TypeAlias = int | Decimal | Fraction
Bucket: TypeAlias = tuple[Hashable, date]

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


def to_decimal(value: Number) -> Decimal:
    """Write a number as a plain Decimal; one that does not terminate is rounded half up to 12 places (ROL-2)."""
    whole, places = _whole(value, SUMMAND_PLACES), SUMMAND_PLACES
    while places and whole % 10 == 0:
        whole, places = whole // 10, places - 1
    return Decimal(f"{whole}E{-places}")


@dataclass(frozen=True, slots=True)
class LotCount:
    """One inspected lot: its row id, its bucket (factory and whatever else splits it, local day), and its counts."""

    id: Hashable
    factory: Hashable
    day: date
    inspected: int
    defective: int

    @property
    def bucket(self) -> Bucket:
        return (self.factory, self.day)


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


@dataclass(frozen=True, slots=True)
class Insert:
    row: LotCount


@dataclass(frozen=True, slots=True)
class Update:
    """Replace named fields of one row; `changes` maps field name to new value."""

    id: Hashable
    changes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Delete:
    id: Hashable


Operation: TypeAlias = Insert | Update | Delete


def lot_sums(defective: int, inspected: int) -> LotSums:
    """The sums of a single lot; impossible counts raise BadInput (DEF-3)."""
    if inspected < 0 or defective < 0 or defective > inspected:
        raise BadInput(f"{defective} defective of {inspected} inspected is impossible.", "defective")
    square = Fraction(defective**2, inspected) if inspected else Fraction(0)
    return LotSums(1, inspected, defective, half_up(square, SUMMAND_PLACES))


def bucket_sums(rows: Iterable[LotCount]) -> dict[Bucket, LotSums]:
    """All buckets from the source rows; a bucket without rows does not exist (ROL-3)."""
    sums: dict[Bucket, LotSums] = {}
    for row in rows:
        sums[row.bucket] = sums.get(row.bucket, LotSums()) + lot_sums(row.defective, row.inspected)
    return sums


def rebuild(
    sums: Mapping[Bucket, LotSums], rows: Iterable[LotCount], touched: Iterable[Bucket]
) -> dict[Bucket, LotSums]:
    """Recompute the touched buckets whole from the rows and replace them; a replay changes nothing (ROL-2, ROL-3)."""
    wanted = set(touched)
    fresh = bucket_sums(row for row in rows if row.bucket in wanted)
    return {bucket: kept for bucket, kept in sums.items() if bucket not in wanted} | fresh


def apply(rows: Iterable[LotCount], operations: Iterable[Operation]) -> tuple[list[LotCount], set[Bucket]]:
    """Carry out the operations in order; returns the rows left and every old and new bucket they touched (ROL-1).

    Raises BadInput for an insert of a known id, or an update or delete of an unknown one.
    """
    table = {row.id: row for row in rows}
    touched: set[Bucket] = set()
    for operation in operations:
        row_id = operation.row.id if isinstance(operation, Insert) else operation.id
        if isinstance(operation, Insert) == (row_id in table):
            raise BadInput(f"Row {row_id} {'exists already' if row_id in table else 'does not exist'}.", "id")
        if not isinstance(operation, Insert):
            touched.add(table[row_id].bucket)
        if isinstance(operation, Delete):
            del table[row_id]
            continue
        table[row_id] = operation.row if isinstance(operation, Insert) else replace(table[row_id], **operation.changes)  # type: ignore[arg-type]
        touched.add(table[row_id].bucket)
    return list(table.values()), touched
