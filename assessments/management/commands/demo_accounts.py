"""manage.py demo_accounts: who can sign in to the demo, and with what."""

from django.core.management.base import BaseCommand

from accounts.models import User
from assessments.demo.keep import SHARED, own
from assessments.demo.people import PEOPLE, passphrase
from factories.models import Factory

CHANGED = "(changed by its owner)"


class Command(BaseCommand):
    help = "Prints the demo accounts that exist here: role, e-mail, password, and what to look at first."

    def handle(self, *args, **options):
        users = {}
        if Factory.objects.filter(is_demo=True).exists():
            users = {user.email: user for user in own(*SHARED[0]).filter(is_active=True)}
        rows = [
            (
                User.Role(person.role).label, person.email,
                passphrase() if users[person.email].check_password(passphrase()) else CHANGED, person.look_first,
            )
            for person in PEOPLE if person.email in users
        ]  # fmt: skip
        if not rows:
            self.stdout.write("There are no demo accounts here. `manage.py load_demo` makes them.")
            return
        rows.insert(0, ("Role", "E-mail", "Password", "Look first at"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            self.stdout.write("  ".join([*cells, row[3]]))
