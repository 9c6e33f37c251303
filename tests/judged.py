"""A factory with some months of deliveries and inspections, judged as the jobs would have."""

import datetime

from assessments import jobs
from assessments.views.entrance import today
from production.models import Delivery, Inspection, Lot, OrderLine
from tests import make


def ago(days):
    """The business day `days` before today."""
    return today() - datetime.timedelta(days=days)


def factory(code, lines=12, late=0, lots=4, defective=0, inspected=80, **fields):
    """A factory whose last weeks hold `lines` due lines, `late` of them late by five days, and `lots` inspected lots.

    Each lot has `defective` of `inspected` units. Nothing is judged yet.
    """
    made = make.factory(code=code, time_zone="UTC", **fields)
    order = make.order(factory=made, number=f"PO-{code}")
    product, site = make.product(category=made.category), make.site()
    days = [ago(60 - n % 40) for n in range(lines)]
    waiting = OrderLine.objects.bulk_create(
        OrderLine(
            factory=made, order=order, product=product, site=site, number=f"L{n + 1}", quantity=100, committed_on=due
        )
        for n, due in enumerate(days)
    )
    inspectable = Lot.objects.bulk_create(
        Lot(factory=made, line=line, code=f"{code}-{n}") for n, line in enumerate(waiting[:lots])
    )
    receipts = []
    for n, (line, due) in enumerate(zip(waiting, days, strict=True)):
        on = due + datetime.timedelta(days=5 if n < late else -1)
        lot = inspectable[n] if n < lots else None
        receipts.append(
            Delivery(factory=made, line=line, site=site, lot=lot, quantity=100, received_on=on, known_on=on)
        )
    Delivery.objects.bulk_create(receipts)
    Inspection.objects.bulk_create(
        Inspection(
            factory=made,
            lot=lot,
            inspected_on=days[n],
            units_inspected=inspected,
            units_major=defective,
            verdict=Inspection.Verdict.REJECTED if defective else Inspection.Verdict.ACCEPTED,
        )
        for n, lot in enumerate(inspectable)
    )
    return made


def judge(months=2):
    """Works out everything and judges the last closed day, after `months` closed months."""
    return jobs.judge_day(ago(1), months=months, quiet=True)
