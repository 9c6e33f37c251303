"""Statements that PostgreSQL plans once for each connection: the minute job asks the same ones for one line, day after day.

Planning a statement that names a dozen tables takes longer than running it for one order line. Only for few rows: the plan
is made for some subjects, not for thousands.
"""

import itertools
import weakref
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.db import connection

# No plan is made for the values at hand: that would be planning each time again, for the first five times at least.
ONE_PLAN = "set_config('plan_cache_mode', 'force_generic_plan', TRUE)"
FEW = 200  # subjects at most; for more of them a plan of their own costs little and may be a better one

_numbers = itertools.count()
_known: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()


class Prepared:
    """One statement with named values, `%(lines)s`, whose PostgreSQL types are given by name."""

    def __init__(self, sql: str, **types: str) -> None:
        self.sql, self.names = sql, list(types)
        self.name = f"plumbline_{next(_numbers)}"
        places = {name: f"${number}" for number, name in enumerate(types, 1)}
        kinds, given = (
            f"({', '.join(each)})" if types else "" for each in (types.values(), map("%({})s".format, types))
        )
        self.prepare = f"PREPARE {self.name} {kinds} AS {sql % places}"
        self.call = f"EXECUTE {self.name} {given}"

    def execute(self, cursor: Any, values: Mapping[str, Any], few: bool = True) -> None:
        """Runs it; with `few` by the plan kept in the connection, which wants `ONE_PLAN` set in the transaction."""
        if not few:
            cursor.execute(self.sql, values)
            return
        # What is prepared belongs to the session and outlives a rollback.
        known = _known.setdefault(connection.connection, set())
        if self.name not in known:
            with connection.wrap_database_errors, connection.connection.cursor() as plain:
                plain.execute(self.prepare)  # asks nothing, so it is none of the statements that are counted and logged
            known.add(self.name)
        cursor.execute(self.call, values)


@lru_cache(maxsize=100)
def of_query(sql: str, count: int) -> Prepared:
    """What Django wrote, with `count` values by place: `%s`. Their types are what the statement makes of them.

    For the few forms that one query takes; every form stays with the connection.
    """
    names = [f"value_{number}" for number in range(count)]
    return Prepared(sql % tuple(f"%({name})s" for name in names), **dict.fromkeys(names, "unknown"))
