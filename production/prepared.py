"""Statements that PostgreSQL plans once for each connection: the minute job asks the same ones for one line, day after day.

Planning a statement that names a dozen tables takes longer than running it for one order line. Only for few rows: the plan
is made for some subjects, not for thousands.
"""

import itertools
import weakref
from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created
from django.dispatch import receiver

FEW = 200  # subjects at most; for more of them a plan of their own costs little and may be a better one

MOST_FORMS = 300  # of statements that Django wrote
MOST_VALUES = 40  # of one of them

_numbers = itertools.count()
by_call: dict[str, "Prepared"] = {}
_known: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()


@receiver(connection_created)
def plan_once(sender: Any, connection: Any, **_: Any) -> None:
    """No plan for the values at hand: that would be planning again for the first five times, and whenever it looks cheaper.

    And no second process for one statement: starting one takes as long as most of ours, and other readers wait for the processor.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan; SET max_parallel_workers_per_gather = 0")


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
        by_call[self.call] = self

    def execute(self, cursor: Any, values: Mapping[str, Any], few: bool = True) -> None:
        """Runs it; with `few` by the plan kept in the connection."""
        if not few:
            cursor.execute(self.sql, values)
            return
        self.keep()
        cursor.execute(self.call, values)

    def keep(self) -> None:
        """Has the connection plan it, unless it did. That belongs to the session and outlives a rollback."""
        known = _known.setdefault(connection.connection, set())
        if self.name not in known:
            with connection.wrap_database_errors, connection.connection.cursor() as plain:
                plain.execute(self.prepare)  # asks nothing, so it is none of the statements that are counted and logged
            known.add(self.name)

    def may_be_kept(self) -> bool:
        """Has the connection plan it; False where PostgreSQL cannot tell the types. Leaves an open transaction usable."""
        with connection.cursor():  # connected
            pass
        with connection.connection.cursor() as plain:
            if connection.in_atomic_block:
                plain.execute("SAVEPOINT plumbline_plan")
            try:
                self.keep()
            except DatabaseError:
                if connection.in_atomic_block:
                    plain.execute("ROLLBACK TO SAVEPOINT plumbline_plan")
                return False
        return True


_forms: dict[tuple[str, int], Prepared | None] = {}


def of_query(sql: str, count: int) -> Prepared | None:
    """What Django wrote, with `count` values by place: `%s`. Their types are what the statement makes of them.

    None where PostgreSQL cannot tell them, and for more forms than a connection should keep.
    """
    if (sql, count) not in _forms:
        if len(_forms) >= MOST_FORMS:
            return None
        names = [f"value_{number}" for number in range(count)]
        form = Prepared(sql % tuple(f"%({name})s" for name in names), **dict.fromkeys(names, "unknown"))
        _forms[sql, count] = form if form.may_be_kept() else None
    return _forms[sql, count]


def ask(cursor: Any, sql: str, values: Any) -> list[Any]:
    """The rows of what Django or this module wrote, by a plan that the connection keeps where there may be one."""
    if sql in by_call:
        by_call[sql].execute(cursor, values)  # a newer connection has to plan it first
    elif (
        isinstance(values, (list, tuple))
        and len(values) <= MOST_VALUES
        and (statement := of_query(sql, len(values))) is not None
    ):
        statement.execute(cursor, dict(zip(statement.names, values, strict=True)))
    else:
        cursor.execute(sql, values)
    return list(cursor.fetchall())
