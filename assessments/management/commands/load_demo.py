"""manage.py load_demo: the demo company, as it looks today."""

import datetime
import zoneinfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from assessments.demo.load import AlreadyTaken, load
from factories.models import Factory


class Command(BaseCommand):
    help = (
        "Loads the demo company: factories, orders, deliveries, inspections, grades. Loading it twice changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("--if-empty", action="store_true", help="do nothing where there are factories already")
        parser.add_argument("--day", type=datetime.date.fromisoformat, help="the day on which it is seen, else today")
        parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of orders")

    def handle(self, *args, if_empty, day, scale, **options):
        if if_empty and Factory.objects.filter(is_demo=False).exists():
            self.stdout.write("There are factories already; the demo was not loaded.")
            return
        now = timezone.now()
        today = now.astimezone(zoneinfo.ZoneInfo(settings.ORGANISATION_TIME_ZONE)).date()
        if day and day != today:
            now = datetime.datetime.combine(day, datetime.time(12), datetime.UTC)
        if scale < 1:
            raise CommandError("--scale is a whole number from 1.")
        try:
            loaded = load(day or today, now, scale)
        except AlreadyTaken as taken:
            raise CommandError(
                f"These factory codes belong to factories of yours, so the demo cannot be loaded: {taken}."
            ) from None
        if not loaded:
            self.stdout.write("The demo is loaded already. Nothing was changed.")
            return
        self.stdout.write(f"The demo was loaded: {Factory.objects.filter(is_demo=True).count()} factories.")
        self.stdout.write(
            "Sign in as one of those whom `manage.py demo_accounts` lists; `manage.py remove_demo` takes it out."
        )
