"""Statement-level triggers that append what a write touched; `docs/marks.md` holds the whole table.

A trigger knows neither the day nor the calendar, so it marks the subject (an order line, a lot, an order x material) and
leaves the working out to `production.rollups`. The log has no unique key: writers never wait for each other.
"""

from collections.abc import Callable

import pgtrigger

LINE, LOT, MATERIAL, ORDER, PRODUCT, CALENDAR, BILL = "line", "lot", "material", "order", "product", "calendar", "bill"
KINDS = [LINE, LOT, MATERIAL, ORDER, PRODUCT, CALENDAR, BILL]


def marks(**subjects: str) -> list[pgtrigger.Trigger]:
    """Three triggers (insert, update, delete) that mark each kind with the id found in the given column.

    `marks(line="line_id", lot="lot_id")` marks the order line and, where there is one, the lot. An update marks the old
    and the new id.
    """

    def appends(source: str) -> str:
        selects = " UNION ".join(
            f"SELECT '{kind}', {column} FROM {source} WHERE {column} IS NOT NULL" for kind, column in subjects.items()
        )
        return f"INSERT INTO production_touched (kind, subject_id) {selects};"

    return _appending("mark", appends)


def plan_marks(orders: str) -> list[pgtrigger.Trigger]:
    """Three triggers that mark the plans of which something changed; `orders` selects their orders from `{changed}` rows."""
    return _appending(
        "mark_plan",
        lambda source: f"INSERT INTO production_touchedplan (order_id) {orders.replace('{changed}', source)};",
    )


def _appending(name: str, appends: Callable[[str], str]) -> list[pgtrigger.Trigger]:
    both = "(SELECT * FROM old_values UNION ALL SELECT * FROM new_values) AS touched_values"
    return [
        pgtrigger.Trigger(
            name=f"{name}_{event}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=referencing,
            func=appends(source) + " RETURN NULL;",
        )
        for event, operation, referencing, source in (
            ("insert", pgtrigger.Insert, pgtrigger.Referencing(new="new_values"), "new_values"),
            ("update", pgtrigger.Update, pgtrigger.Referencing(old="old_values", new="new_values"), both),
            ("delete", pgtrigger.Delete, pgtrigger.Referencing(old="old_values"), "old_values"),
        )
    ]


def sum_check(name: str, source_events: str, lock: str, check: str) -> list[pgtrigger.Trigger]:
    """Triggers for a law about the sum of several rows: lock the parents in id order, then look for a broken one.

    `lock` and `check` are SQL with `{changed}` for the changed rows; `check` selects one text, the sentence the user
    reads, for each parent that breaks the law. Raises check_violation, which Django shows as an IntegrityError.
    """
    triggers = []
    for event in source_events.split():
        operation = {"insert": pgtrigger.Insert, "update": pgtrigger.Update, "delete": pgtrigger.Delete}[event]
        referencing = {
            "insert": pgtrigger.Referencing(new="new_values"),
            "update": pgtrigger.Referencing(old="old_values", new="new_values"),
            "delete": pgtrigger.Referencing(old="old_values"),
        }[event]
        changed = {
            "insert": "new_values",
            "update": "(SELECT * FROM old_values UNION ALL SELECT * FROM new_values)",
            "delete": "old_values",
        }[event]
        triggers.append(
            pgtrigger.Trigger(
                name=f"{name}_{event}",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=operation,
                referencing=referencing,
                declare=[("broken", "text")],
                func=pgtrigger.Func(
                    f"PERFORM 1 FROM ({lock.replace('{changed}', changed)}) AS parents; "
                    f"{check.replace('{changed}', changed)} "
                    "IF broken IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = broken, "
                    f"CONSTRAINT = '{name}'; END IF; RETURN NULL;"
                ),
            )
        )
    return triggers
