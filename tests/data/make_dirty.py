"""Writes tests/data/dirty.csv: invented order lines with the dirt of real files, and prints what is true of them.

    python tests/data/make_dirty.py

The counts come from how the rows are made, not from reading them back; tests/test_import_orders.py holds the same numbers.
"""

import csv
import datetime
import random
from pathlib import Path

SEED = 20120601
ROWS = 360
LATE = 47
OTHER_YEAR = 12
HEADER = [
    "ID", "PQ #", "PO / SO #", "ASN/DN #", "Country", "Vendor", "PQ First Sent to Client Date", "PO Sent to Vendor Date",
    "Scheduled Delivery Date", "Delivered to Client Date", "Product Group", "Item Description", "Line Item Quantity",
    "Line Item Value", "Unit Price", "Manufacturing Site", "Weight (Kilograms)", "Freight Cost (USD)",
]  # fmt: skip
SITES = [
    "Alder Works, Unit III, Porto", 'The "Blue Gate" Mill, Lyon', "O'Hara & Sons Plant No.P-2, I.T-B.T. Park, Phase II",
    "Müller Werk, Köln", "Cedar (formerly Birch) Nashik", "CÃ³ndor Laboratorio, Lima", "Elm Ltd A-42 Mahar. IN",
    "Fir Basel", "Juniper, Hosur, India.",
]  # fmt: skip
PRODUCTS = [
    ("Tablet 30/50/6mg, dispersible, 60 Tabs", "TAB"), ("Kit 1/2, dipstick, 30 tests", "KIT"),
    ("Cap 200mg [Brand], capsules, 60 Caps", "TAB"), ("Oral solution 20mg/ml, bottle, 240 ml", "SOL"),
    ('Strip 5" x 2", 100 pcs', "KIT"),
]  # fmt: skip
WORDS = ["Date Not Captured", "N/A - From RDC"]


def in_letters(day):
    return f"{day.day}-{day:%b}-{day:%y}"


def in_figures(day):
    return f"{day.month}/{day.day}/{day:%y}"


def make():
    """The rows, and how many there are of what: all of the first year, late ones, factories, orders."""
    chance = random.Random(SEED)
    late = set(chance.sample(range(ROWS), LATE))
    other_year = set(chance.sample(sorted(set(range(ROWS)) - late), OTHER_YEAR))
    rows, orders = [], set()
    for number in range(ROWS):
        promised = datetime.date(2013 if number in other_year else 2012, 1, 1) + datetime.timedelta(
            chance.randrange(366)
        )
        promised = min(promised, datetime.date(promised.year, 12, 31))
        days = chance.randrange(1, 60) if number in late else -chance.choice([0, 0, 0, 3, 17])
        delivered, ordered = (
            promised + datetime.timedelta(days),
            promised - datetime.timedelta(chance.randrange(60, 200)),
        )
        # One order number in eight is used at several sites, and has several promised days.
        order = f"SCMS-{100_000 + number // 8 * 10}" if number % 64 < 16 else f"SO-{500 + number}"
        site = SITES[number // 3 % len(SITES)]
        product, group = chance.choice(PRODUCTS)
        written = in_letters if chance.random() < 0.7 else in_figures
        quantity, price = chance.randrange(1, 90_000), chance.randrange(0, 9_000)
        orders.add((order, site))
        rows.append([
            40_000 + number * 7, "Pre-PQ Process" if number % 5 == 0 else f"FPQ-{number}", order, f"ASN-{number}",
            "Côte d'Ivoire", "SCMS from RDC" if number % 3 == 0 else "O'HARA, LTD.", chance.choice([*WORDS, "1/6/12"]),
            chance.choice([WORDS[0], WORDS[1], in_figures(ordered)]) if number % 64 >= 16 else WORDS[1],
            written(promised), in_letters(delivered) if chance.random() < 0.5 else in_figures(delivered), group, product,
            quantity, f"{quantity * price / 100:.2f}", f"{price / 100:g}", site,
            chance.choice(["21", "See ASN-93 (ID#:1281)", "Weight Captured Separately"]),
            chance.choice(["304.62", "Freight Included in Commodity Cost"]),
        ])  # fmt: skip
    chance.shuffle(rows)
    counts = {"rows": ROWS, "in 2012": ROWS - OTHER_YEAR, "on time in 2012": ROWS - OTHER_YEAR - LATE,
              "factories": len(SITES), "orders": len(orders), "products": len({row[11] for row in rows})}  # fmt: skip
    return rows, counts


if __name__ == "__main__":
    rows, counts = make()
    with (Path(__file__).parent / "dirty.csv").open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)
    print(counts)
