from django.core.management.base import BaseCommand

from notifications import outbox


class Command(BaseCommand):
    help = "Hand over the messages that are due now, as the job does every minute."

    def add_arguments(self, parser):
        parser.add_argument("--limit", type=int, help="stop after so many messages")
        parser.add_argument("--seconds", type=float, default=50, help="stop after so many seconds (default 50)")

    def handle(self, *args, limit, seconds, **options):
        outcomes = outbox.send_due(limit=limit, seconds=seconds)
        for outcome, count in sorted(outcomes.items()):
            self.stdout.write(f"{outcome}: {count}")
        if not outcomes:
            self.stdout.write("Nothing was due.")
