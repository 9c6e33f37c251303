"""Judge now, or as of a closed day."""

import datetime
import json

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from assessments import jobs
from factories.models import Factory


class Command(BaseCommand):
    help = "Work out what was touched and judge the factories: now, or with --as-of as the night of that closed day."

    def add_arguments(self, parser):
        parser.add_argument("--as-of", type=datetime.date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument("--factory", metavar="CODE")
        parser.add_argument("--months", type=int, default=0, help="Judge this many closed months before that day, too.")
        parser.add_argument("--quiet", action="store_true", help="Owe no messages for what is found.")

    def handle(self, *args, as_of, factory, months, quiet, **options):
        factories = None
        if factory:
            factories = list(Factory.objects.filter(code__iexact=factory).values_list("pk", flat=True))
            if not factories:
                raise CommandError(f"There is no factory {factory}.")
        now = timezone.now()
        if as_of is None and not months:
            self.stdout.write(json.dumps({"marks": jobs.assess(now), "slots": jobs.night(now)}))
            return
        day = as_of or jobs.local_today(now) - datetime.timedelta(days=1)
        if day >= jobs.local_today(now):
            raise CommandError(
                f"{day} is not over yet; the latest closed day is {jobs.local_today(now) - datetime.timedelta(days=1)}."
            )
        self.stdout.write(json.dumps(jobs.judge_day(day, factories, months, quiet)))
