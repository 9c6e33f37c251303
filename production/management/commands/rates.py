"""`manage.py rates --from DAY --to DAY`: the three measures over any range, worked out from the source rows."""

import json
from datetime import date, timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from production.errors import BadInput
from production.rates import LOSS, MEASURES, SPLITS, rates

NAMES = {"defect": "Defect rate", "otif": "On time in full", "loss": "Material loss"}
TOO_FEW = "too few data"


class Command(BaseCommand):
    help = "Shows the defect, on-time-in-full and material-loss rates of a range of days, with what they are made of."

    def add_arguments(self, parser):
        parser.add_argument(
            "--from", dest="first", type=date.fromisoformat, required=True, help="first day, 2026-01-01"
        )
        parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last day, 2026-03-31")
        parser.add_argument("--by", choices=SPLITS, help="one row per factory, month or product")
        parser.add_argument(
            "--as-of",
            type=date.fromisoformat,
            help="what was known at the end of this day; else --to, or yesterday if that is earlier",
        )
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args, **options):
        yesterday = timezone.now().date() - timedelta(days=1)
        as_of = options["as_of"] or min(options["last"], yesterday)
        if options["last"] > as_of:
            self.stderr.write(f"Lines due after {as_of} are not counted: their days are not over.")
        try:
            found = rates(options["first"], options["last"], as_of, options["by"])
        except BadInput as error:
            raise CommandError(error.message) from None
        if options["format"] == "json":
            self.stdout.write(json.dumps(as_json(found, options, as_of), ensure_ascii=False, indent=1))
            return
        self.stdout.write(f"{options['first']} to {options['last']}, as of {as_of}")
        for rate in found:
            start = f"{rate.key}  {rate.label}" if options["by"] and rate.key != rate.label else rate.label
            self.stdout.write(f"{start:<40.40}  {NAMES[rate.measure]:<16} {said(rate)}")


def said(rate):
    """One rate with its parts: "1,172 of 1,273  92.0660 %", or that there is too little to say."""
    if rate.percent is None:
        return TOO_FEW
    money = f" {rate.currency}" if rate.currency else ""
    note = "" if rate.is_headline else "  (not the worst currency)"
    return f"{rate.numerator.normalize():,f} of {rate.denominator.normalize():,f}{money}  {rate.percent} %{note}"


def as_json(found, options, as_of):
    """All numbers as exact texts or whole numbers; a rate without data is null."""
    return {
        "from": options["first"].isoformat(),
        "to": options["last"].isoformat(),
        "as_of": as_of.isoformat(),
        "by": options["by"],
        "measures": list(MEASURES),
        "rates": [
            {
                "key": rate.key,
                "label": rate.label,
                "measure": rate.measure,
                "currency": rate.currency or None,
                "is_headline": rate.is_headline,
                "numerator": number(rate, rate.numerator),
                "denominator": number(rate, rate.denominator),
                "rate": None if rate.rate is None else f"{rate.rate:f}",
                "percent": None if rate.percent is None else str(rate.percent),
                "status": TOO_FEW if rate.percent is None else "measured",
            }
            for rate in found
        ],
    }


def number(rate, value):
    """A count as a whole number, an amount of money as an exact text."""
    return f"{value.normalize():f}" if rate.measure == LOSS else int(value)
