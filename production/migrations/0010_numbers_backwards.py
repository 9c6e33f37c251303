"""Indexes over numbers read backwards, for the search by the last digits of a code (production/codes.py)."""

import string

from django.db import migrations

# As `production.codes` writes it; an index is found only by the same expression.
KEY = "reverse(translate(upper(number), '{}', ''))".format((string.punctuation + string.whitespace).replace("'", "''"))


def index(name, table):
    return migrations.RunSQL(
        [(f'CREATE INDEX {name} ON {table} (({KEY.replace("%", "%%")}) text_pattern_ops)', [])], f"DROP INDEX {name}"
    )


class Migration(migrations.Migration):

    dependencies = [("production", "0009_disputes")]

    operations = [
        index("order_number_backwards", "production_purchaseorder"),
        index("line_number_backwards", "production_orderline"),
    ]
