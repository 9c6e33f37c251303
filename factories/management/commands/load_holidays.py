"""Take the public holidays of countries into the working calendars."""

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from factories.models import WorkingCalendar
from factories.public_holidays import NotTaken, take_in


class Command(BaseCommand):
    help = "Take public holidays and make-up working days into calendars; days set by hand stay. Safe to run again."

    def add_arguments(self, parser):
        parser.add_argument("codes", nargs="*", help="calendars; left out: every one that has a country")
        parser.add_argument("--country", default="", help="for calendars without one yet, for example CN")
        parser.add_argument("--years", nargs="+", type=int, help="left out: this year and the next")

    def handle(self, *args, codes, country, years, **options):
        this_year = timezone.localdate().year
        calendars = (
            WorkingCalendar.objects.filter(code__in=codes) if codes else WorkingCalendar.objects.exclude(country="")
        )
        missing = set(codes) - {calendar.code for calendar in calendars}
        if missing:
            raise CommandError(f"There is no calendar {', '.join(sorted(missing))}.")
        for calendar in calendars:
            if not (country or calendar.country):
                raise CommandError(f"{calendar.code} has no country yet: name one with --country.")
            try:
                done = take_in(calendar, country.upper() or calendar.country, years or [this_year, this_year + 1])
            except NotTaken as problem:
                raise CommandError(f"{calendar.code}: {problem.message}") from None
            for sentence in done.sentences:
                self.stdout.write(f"{calendar.code}: {sentence}")
        if not calendars:
            self.stdout.write("No calendar has a country yet.")
