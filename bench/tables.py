"""What was measured as Markdown: every figure beside its base."""

import statistics
from collections import defaultdict
from typing import Any

from bench.figures import BACK_TEST, SCATTERED, TRIGGERS


class Table:
    """The figures as Markdown: medians of the rounds, and medians of the ratios within each round."""

    def __init__(self, rounds: list[dict[str, list[float]]], processor: list[dict[str, float]]) -> None:
        self.rounds = [{name: statistics.median(found) for name, found in one.items()} for one in rounds]
        self.processor = processor
        self.lines = ["| figure | time | ratio |", "|---|---:|---|"]

    def add(self, name: str, *parts: str) -> None:
        """A figure that is the sum of others."""
        for one in self.rounds:
            if all(part in one for part in parts):
                one[name] = sum(one[part] for part in parts)

    def seconds(self, name: str) -> float:
        return statistics.median(one[name] for one in self.rounds if name in one)

    def ratio(self, name: str, base: str) -> float:
        """The median of the ratios in the rounds that measured both; of medians where no round did."""
        found = [one[name] / one[base] for one in self.rounds if name in one and base in one]
        return statistics.median(found) if found else self.seconds(name) / self.seconds(base)

    def times(self, name: str, base: str) -> str:
        if not self.has(name, base):
            return ""
        text = f"{self.ratio(name, base):.2f}x {base}"
        used = [(one.get(name, 0), one.get(base, 0)) for one in self.processor]
        if all(ours > 0.2 and theirs > 0.2 for ours, theirs in used):  # else too short to tell
            text += f" ({statistics.median(ours / theirs for ours, theirs in used):.2f}x the server's processor time)"
        return text

    def cheaper(self, name: str, base: str) -> str:
        if not self.has(name, base):
            return ""
        return f"1/{self.ratio(base, name):,.0f} of the {base}"

    def has(self, *names: str) -> bool:
        return all(any(name in one for one in self.rounds) for name in names)

    def row(self, name: str, *ratios: str) -> None:
        if not self.has(name):
            return
        seconds = self.seconds(name)
        shown = f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
        self.lines.append(f"| {name} | {shown} | {'; '.join(filter(None, ratios))} |")


def table(measured: dict[str, Any]) -> str:
    """Every figure beside its base."""
    shown, size, rows, counts = (
        Table(measured["rounds"], measured["processor"]),
        measured["size"],
        measured["rows"],
        measured["statements"],
    )
    counts = defaultdict(str, counts)
    if "evaluation of 36 months" in counts:
        counts["full recompute"] = counts["rebuild of all sums"] + counts["evaluation of 36 months"]
    shown.add("reference", "reference, sums", "reference, months")
    shown.add("full recompute", "rebuild of all sums", "evaluation of 36 months")
    shown.row("reference, sums")
    shown.row("reference, months")
    shown.row("reference")
    for name, base in (
        ("rebuild of all sums", "reference, sums"),
        ("evaluation of 36 months", "reference"),
        ("full recompute", "reference"),
        ("DuckDB, sums", "reference, sums"),
        ("loop over factories, sums", "reference, sums"),
    ):
        statements = f"; {counts[name]} statements" if name in counts else ""
        shown.row(name, shown.times(name, base) + statements)
    night = f"{counts['night']} statements, {counts['night, messages']} messages"
    shown.row("night", shown.cheaper("night", "full recompute"), night)
    shown.row("night, nothing new", f"{counts['night, nothing new']} statements")
    shown.row(BACK_TEST, f"{counts[BACK_TEST]} statements")
    for share in SCATTERED:
        shown.row(f"{share} scattered, sums", shown.times(f"{share} scattered, sums", "rebuild of all sums"))
    shown.row("plain update")
    shown.row("update with marks and history", shown.times("update with marks and history", "plain update"))
    shown.row(
        "one change, sums",
        shown.times("one change, sums", "plain update"),
        shown.cheaper("one change, sums", "rebuild of all sums"),
        f"{counts['one change, sums']} statements",
    )
    for which in ("recent", "any"):
        name, base = f"one change ({which}), everything", f"plain update, as much stored ({which})"
        shown.row(base, f"{counts[f'stored ({which})']} evaluations")
        shown.row(
            name, shown.times(name, "plain update"), shown.times(name, base), shown.cheaper(name, "full recompute")
        )
    shown.row("plain insert")
    for name in list(TRIGGERS)[1:]:
        shown.row(name, shown.times(name, "plain insert"))
    head = (
        f"{size['lines']:,} order lines, {rows['delivery']:,} deliveries, {size['factories']} factories, {size['years']} years, "
        f"{rows['factoryday']:,} rows of daily sums; medians of {size['repeats']} rounds; PostgreSQL {measured['server']}"
    )
    differ = [f"* {name}: {found} differ" for name, found in measured["differences"].items()]
    sizes = ["| table | rows | bytes a row | bytes an order line |", "|---|---:|---:|---:|"]
    for name, found in measured["bytes"].items():
        each = found["bytes"] / found["rows"]
        sizes.append(f"| {name} | {found['rows']:,} | {each:,.0f} | {found['bytes'] / size['lines']:,.0f} |")
    return "\n".join([head, "", *shown.lines, "", *differ, "", *sizes])
