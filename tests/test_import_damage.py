"""Sound files with damage at random: every row is stored as it stands in the file or reported; nothing crashes or is lost."""

import csv
import io
import json
import random
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection

from factories.models import Factory
from production.imports.mapping import load
from production.imports.run import import_file
from production.models import Delivery, OrderLine, PurchaseOrder
from tests import make
from tests.make import day

TODAY = day("2026-11-20")
HEADER = [
    "Factory", "Order", "Line", "Product", "Product name", "Category", "Quantity", "Unit price", "Currency", "Site", "Ordered on",
    "Confirmed on", "Cycle days", "Requested on", "Committed on", "Delivered on", "Delivered quantity", "Delivery", "Document",
    "Grace days", "Tolerance under", "Tolerance over",
]  # fmt: skip
NASTY = [
    "", " ", "-", "n/a", "N/A", "0", "-0", "-1", "0.0000001", "0.000001", "999999999999", "1000000000000", "9" * 40, "1e5", "NaN",
    "inf", "-inf", "1,000", "1.000", "1 000", "1,5", "１２", "5%", "1999-12-31", "2000-01-01", "2049-12-31", "2050-01-01", "2026-02-30",
    "31/02/2026", "03/04/2026", "2026-10-01T23:59Z", "45000", "0000-00-00", "9999-12-31", "soon", "XYZ", "usd", "EUR", "USD ",
    "ZZZZ", "x" * 25, "x" * 61, "y" * 161, "z" * 201, "w" * 40_000, "РО-1", "PO\u200b-1", "a\x0bb", "\x1b[31m", "=1+1", "'", '"',
    "\\N", "\\.", "a\\tb", "a\nb", "a\tb", "%s", "{0}", "<b>", "供应商", "👕", "e\u0301", "3650", "3651", "0.05", "1", "1.0", "999.9999999",
    "VN-001", "VN-999", "vn-001", "PO-1", "SKU-1", "sku-1", "MAIN", "main", "DROP TABLE production_orderline;", "NULL", "None", "TRUE",
]  # fmt: skip

pytestmark = pytest.mark.django_db


def sound_row(number):
    several = number % 10 == 0
    return [
        f"VN-00{number % 3 + 1}", f"PO-{number // 4}-{number % 3}", str(number), f"SKU-{number % 20}", f"Shirt {number % 20}", "Knitwear",
        str(100 + number), "2.50", "USD", "MAIN", "2026-06-01", "2026-06-05", "", "2026-09-01", "2026-10-01",
        "2026-10-02" if several or number % 2 else "", "40" if several or number % 2 else "", "1" if several else "", f"ASN-{number}",
        "2", "0.05", "0.1",
    ]  # fmt: skip


def damaged(chance, count=200):
    """The bytes of a file of `count` rows of which about a third are damaged, and the sound rows by their key."""
    rows, sound = [], {}
    for number in range(1, count + 1):
        row = sound_row(number)
        kind = chance.choice(["", "", "", "cell", "cell", "cells", "swap", "twin", "short", "long", "blank"])
        if kind in ("", "blank", "twin"):
            sound[f"orders:{row[0]}|{row[1]}|{row[2]}"] = row
        if kind == "cell":
            row[chance.randrange(len(row))] = chance.choice(NASTY)
        elif kind == "cells":
            row = [chance.choice(NASTY) if chance.random() < 0.3 else cell for cell in row]
        elif kind == "swap":
            one, other = chance.sample(range(len(row)), 2)
            row[one], row[other] = row[other], row[one]
        rows.append(row)
        if kind == "twin":
            rows.append(list(row))
        elif kind == "short":
            row.pop()
        elif kind == "long":
            row.append("more")
        elif kind == "blank":
            rows.append([""] * len(row))
    out = io.StringIO()
    csv.writer(out).writerows([HEADER, *rows])
    return out.getvalue().encode(), sound


def stored():
    """Everything an import may write, as the database has it."""
    found = []
    with connection.cursor() as cursor:
        for table in ("production_purchaseorder", "production_orderline", "production_delivery", "production_product",
                      "production_site", "factories_factory", "factories_category"):  # fmt: skip
            cursor.execute(f"SELECT md5(string_agg(t::text, ',' ORDER BY t.id)) FROM {table} AS t")
            found.append(cursor.fetchone())
    return found


@pytest.mark.parametrize("seed", range(12))
def test_damaged_file_is_stored_as_it_stands_or_reported_row_by_row(tmp_path, seed):
    for number in range(1, 4):
        make.factory(code=f"VN-00{number}")
    content, sound = damaged(random.Random(seed))
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    before = stored()

    refused = import_file(path, load("orders"), today=TODAY)
    assert not refused.is_applied
    assert stored() == before, "all or nothing"
    assert all(problem.row and problem.reason for problem in refused.problems.refused)
    assert not any("The database" in problem.reason for problem in refused.problems.refused)

    result = import_file(path, load("orders"), today=TODAY, skip_bad=True)
    assert result.is_applied
    bad = result.problems.bad_rows
    assert bad == refused.problems.bad_rows
    lines = OrderLine.objects.filter(source_key__startswith="orders:")
    assert result.counts["lines_created"] == lines.count()
    assert result.rows - len(bad) - result.counts["lines_created"] == 0, "every row is stored or reported"
    assert result.counts["orders_created"] == PurchaseOrder.objects.count()
    assert result.counts["deliveries_created"] == Delivery.objects.count()

    kept = 0
    for line in lines.select_related("order__factory", "product"):
        row = sound.get(line.source_key)
        if row is None:
            continue
        kept += 1
        said = [line.order.factory.code, line.order.number, line.product.code, line.quantity, line.unit_price, line.order.currency,
                str(line.committed_on), line.tol_under]  # fmt: skip
        assert said == [row[0], row[1], row[3], Decimal(row[6]), Decimal(row[7]), row[8], row[14], Decimal(row[20])]
    assert kept > 20

    after = stored()
    again = import_file(path, load("orders"), today=day("2026-11-21"), skip_bad=True)
    assert {name: count for name, count in again.counts.items() if count} == {"unchanged": lines.count()}
    assert stored() == after
    assert again.problems.bad_rows == bad


@pytest.mark.parametrize("seed", range(20))
def test_file_with_broken_bytes_ends_in_a_report(tmp_path, seed, capsys):
    Factory.objects.all().delete()
    chance = random.Random(seed)
    content = bytearray(damaged(chance, 30)[0])
    for _ in range(chance.randint(1, 5)):
        place = chance.randrange(len(content))
        match chance.choice(["change", "cut", "insert", "end"]):
            case "change":
                content[place] = chance.randrange(256)
            case "cut":
                del content[place : place + chance.randint(1, 200)]
            case "insert":
                content[place:place] = chance.choice(
                    [b"\0", b'"', b"\xff\xfe", b"\r", b"\n", b";" * 300, b"\xef\xbb\xbf"]
                )
            case "end":
                del content[place:]
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        call_command("import_orders", str(path), "--mapping", "orders")
    assert ended.value.code == 1
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not summary["applied"]
    assert summary["problem_count"] > 0
    assert all(problem["reason"] for problem in summary["problems"])
