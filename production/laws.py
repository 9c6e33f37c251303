"""Which law of the database refused a row."""

from django.db import IntegrityError


def law(refused: IntegrityError) -> str:
    """The name of the constraint that refused; "" where the database names none."""
    return getattr(getattr(refused.__cause__, "diag", None), "constraint_name", "") or ""
