"""Every fact carries the factory of its order; composite foreign keys keep it so, and follow a move."""

from django.db import migrations

CARRIED = [
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
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("production", "0001_initial"), ("factories", "0002_working_days")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {parent} ({parent_columns}) "
            "ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
            f"ALTER TABLE {table} DROP CONSTRAINT {name}",
        )
        for table, name, columns, parent, parent_columns in CARRIED
    ]
