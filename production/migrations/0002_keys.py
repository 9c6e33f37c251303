"""What models cannot say: keys that carry the factory, and indexes over numbers read backwards.

Every fact carries the factory of its order; composite foreign keys keep it so, and follow a move. The indexes serve the
search by the last digits of a code (production/codes.py).
"""

import string

from django.db import migrations

KEYS = [
    # table, constraint, columns, parent, parent columns
    ("production_orderline", "line_of_its_orders_factory", "order_id, factory_id",
     "production_purchaseorder", "id, factory_id"),
    ("production_ordermaterial", "material_of_its_orders_factory", "order_id, factory_id",
     "production_purchaseorder", "id, factory_id"),
    ("production_delivery", "delivery_of_its_lines_factory", "line_id, factory_id", "production_orderline", "id, factory_id"),
    ("production_lot", "lot_of_its_lines_factory", "line_id, factory_id", "production_orderline", "id, factory_id"),
    ("production_inspection", "inspection_of_its_lots_factory", "lot_id, factory_id", "production_lot", "id, factory_id"),
    ("production_materialmovement", "movement_of_its_orders_factory", "order_material_id, factory_id",
     "production_ordermaterial", "id, factory_id"),
    ("production_delivery", "delivery_in_a_lot_of_its_line", "lot_id, line_id", "production_lot", "id, line_id"),
    ("production_delivery", "reversal_bears_its_receipts_day", "reverses_id, line_id, received_on",
     "production_delivery", "id, line_id, received_on"),
    ("production_exclusion", "exclusion_of_its_lines_factory", "line_id, factory_id", "production_orderline", "id, factory_id"),
    ("production_exclusion", "exclusion_of_its_lots_factory", "lot_id, factory_id", "production_lot", "id, factory_id"),
    ("production_exclusion", "exclusion_of_its_materials_factory", "order_material_id, factory_id",
     "production_ordermaterial", "id, factory_id"),
    ("production_dispute", "dispute_of_its_lines_factory", "line_id, factory_id", "production_orderline", "id, factory_id"),
    ("production_dispute", "dispute_of_its_lots_factory", "lot_id, factory_id", "production_lot", "id, factory_id"),
    ("production_dispute", "dispute_of_its_materials_factory", "order_material_id, factory_id",
     "production_ordermaterial", "id, factory_id"),
]  # fmt: skip
INDEXES = [("order_number_backwards", "production_purchaseorder"), ("line_number_backwards", "production_orderline")]
# As `production.codes` writes it; an index is found only by the same expression.
BACKWARDS = "reverse(translate(upper(number), '{}', ''))".format(
    (string.punctuation + string.whitespace).replace("'", "''")
)


def key(table, name, columns, parent, parent_columns):
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {parent} ({parent_columns}) "
        "ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def index(name, table):
    create = f"CREATE INDEX {name} ON {table} (({BACKWARDS.replace('%', '%%')}) text_pattern_ops)"
    return migrations.RunSQL([(create, [])], f"DROP INDEX {name}")


class Migration(migrations.Migration):
    dependencies = [("production", "0001_tables")]
    replaces = [("production", "0002_carried_factory"), ("production", "0010_numbers_backwards")]
    operations = [*(key(*each) for each in KEYS), *(index(*each) for each in INDEXES)]
