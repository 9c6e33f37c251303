"""manage.py remove_demo: the demo company out again."""

from django.core.management.base import BaseCommand

from assessments.demo.remove import remove


class Command(BaseCommand):
    help = "Removes everything that load_demo brought, and nothing else. Only its history stays."

    def handle(self, *args, **options):
        removed = remove()
        if not removed:
            self.stdout.write("There is no demo here.")
            return
        rows = sum(removed.values())
        self.stdout.write(f"The demo was removed: {removed.get('factories.Factory', 0)} factories, {rows} rows in all.")
