"""Builders of order files, sound and broken, and what reading them without a database gives."""

import csv
import io

from production.imports.mapping import load
from production.imports.problems import ImportProblem, Problems
from production.imports.rows import RowReader
from production.imports.run import open_table
from tests.make import day

TODAY = day("2026-11-20")
HEADER = ["Factory", "Order", "Line", "Product", "Quantity", "Price", "Due", "Note"]
ROW = ["VN-001", "PO-1", "1", "Shirt", "100", "2.50", "2026-10-01", "plain"]
MAPPING = """
name = "corpus"
[file]
encodings = {encodings}
delimiter = "auto"
[numbers]
decimal = {decimal!r}
thousands = {thousands!r}
[dates]
forms = {forms}
pivot = 49
[key]
columns = ["Order", "Line"]
[columns]
factory_code = "Factory"
order_number = "Order"
line_number = "Line"
product_name = "Product"
quantity = {quantity}
unit_price = "Price"
committed_on = {due}
order_note = "Note"
[constants]
site = "MAIN"
currency = "USD"
"""


class Outcome:
    """What reading a file without a database gives: rows, problems, warnings, or why it was refused whole."""

    def __init__(self, path, mapping, sheet=None):
        self.problems, self.refusal, self.rows, self.detail = Problems(), None, [], ""
        try:
            table = open_table(path, mapping, sheet, self.problems)
            self.detail = table.detail
            self.rows = list(RowReader(table, mapping, self.problems, TODAY).read())
        except ImportProblem as refusal:
            self.refusal = refusal.problem

    @property
    def refused(self):
        return [(problem.row, problem.column, problem.reason) for problem in self.problems.refused]

    @property
    def warned(self):
        return [problem.reason for problem in self.problems.warned]

    def value(self, field):
        assert self.refusal is None, self.refusal
        assert not self.problems.refused, self.problems.refused
        return getattr(self.rows[0], field)


def reader(tmp_path):
    """read(bytes or rows, name="orders.csv", sheet=None, **mapping) -> the Outcome of reading such a file."""

    def run(content, name="orders.csv", sheet=None, encodings=("utf-8",), decimal=".", thousands="", quantity='"Quantity"',
            forms=("YYYY-MM-DD", "D-Mon-YY"), order_letters="", due='"Due"'):  # fmt: skip
        path, toml = tmp_path / name, tmp_path / "mapping.toml"
        text = MAPPING.format(encodings=list(encodings), decimal=decimal, thousands=thousands, forms=list(forms),
                              quantity=quantity, due=due)  # fmt: skip
        toml.write_text(text.replace('delimiter = "auto"', f'delimiter = "auto"\nid_letters = "{order_letters}"'))
        if not isinstance(content, bytes):
            content = text_file(content)
        path.write_bytes(content)
        return Outcome(path, load(str(toml)), sheet)

    return run


def text_file(rows, encoding="utf-8", header=HEADER, **options):
    out = io.StringIO()
    csv.writer(out, **options).writerows([header, *rows])
    return out.getvalue().encode(encoding)


def row(**changes):
    return [changes.get(name.lower(), value) for name, value in zip(HEADER, ROW, strict=True)]
