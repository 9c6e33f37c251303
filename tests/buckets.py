"""Inspected lots in the database, told as plain events, and the daily sums that the product makes of them."""

from datetime import date

from production import rollups, sampling
from production.errors import BadInput
from production.models import FactoryDay, Inspection
from tests import make


class Buckets:
    """Lots by the ids of their events: `{"id": 1, "factory": 7, "day": "2026-03-01", "inspected": 80, "defective": 2}`."""

    def __init__(self):
        self.lines, self.lots, self.names = {}, {}, {}
        self.category = make.category()

    def line_of(self, name):
        if name not in self.lines:
            self.lines[name] = make.line(factory=make.factory(category=self.category))
            self.names[self.lines[name].factory_id] = name
        return self.lines[name]

    def insert(self, event):
        sampling.check_counts(event["inspected"], event["defective"])
        if event["id"] in self.lots:
            raise BadInput(f"{event['id']} exists already.", "id")
        lot = make.lot(line=self.line_of(event["factory"]))
        make.inspection(
            lot=lot,
            inspected_on=date.fromisoformat(event["day"]),
            inspected=event["inspected"],
            major=event["defective"],
        )
        self.lots[event["id"]] = lot, event

    def delete(self, id):
        lot, event = self.lots.pop(id)
        lot.delete()
        return event

    def update(self, id, changes):
        """The lot of another factory is another lot."""
        lot, event = self.lots[id]
        event = event | changes
        if "factory" in changes:
            self.delete(id)
            return self.insert(event)
        sampling.check_counts(event["inspected"], event["defective"])
        self.lots[id] = lot, event
        counts = {"units_inspected": event["inspected"], "units_major": event["defective"]}
        return Inspection.objects.filter(lot=lot).update(inspected_on=date.fromisoformat(event["day"]), **counts)

    def clear(self):
        for id in list(self.lots):
            self.delete(id)
        self.rebuilt()

    def carry_out(self, operation):
        if operation["op"] == "insert":
            self.insert(operation["row"])
        elif operation["id"] not in self.lots:
            raise BadInput(f"{operation['id']} does not exist.", "id")
        elif operation["op"] == "delete":
            self.delete(operation["id"])
        else:
            self.update(operation["id"], operation["set"])

    def rebuilt(self):
        """The buckets that the changes since the last time have touched."""
        return {f"{self.names[factory]}|{on}" for factory, _, on in rollups.rebuild().buckets["defect"]}

    def shown(self):
        names = {"lots": "lots", "inspected": "units_inspected", "defective": "units_major", "s2": "s2"}
        return {
            f"{self.names[sums.factory_id]}|{sums.day}": {name: getattr(sums, column) for name, column in names.items()}
            for sums in FactoryDay.objects.filter(family="defect")
        }
