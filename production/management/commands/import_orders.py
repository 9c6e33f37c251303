"""`manage.py import_orders FILE --mapping NAME`: order lines and deliveries from a CSV or XLSX file."""

import io
import json
import sys
import zoneinfo
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from production import rollups
from production.imports.mapping import load
from production.imports.problems import ImportProblem, grouped
from production.imports.run import COUNTS, Result, import_file

REPORTED = 100


class Command(BaseCommand):
    help = (
        "Imports order lines and deliveries from a CSV or XLSX file by a mapping (docs/imports.md). All or nothing "
        "unless --skip-bad; the same file twice adds nothing. The last line of the output is a JSON summary."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--mapping", required=True, help="the name of a shipped mapping, or the path of a TOML file"
        )
        parser.add_argument("--dry-run", action="store_true", help="do everything, then take it back")
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows even if others are refused")
        parser.add_argument(
            "--update", action="store_true", help="let the file replace what was imported differently before"
        )
        parser.add_argument("--sheet", help="the sheet of an XLSX file that has several")

    def handle(self, *args, **options):
        path, mapping_name = options["file"], options["mapping"]
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without the letters of a file's names
        try:
            mapping = load(mapping_name)
        except ImportProblem as refusal:
            name = path.name.encode(errors="backslashreplace").decode()
            result = Result(name, mapping_name, options["dry_run"], counts=dict.fromkeys(COUNTS, 0))
            result.problems.refused.append(refusal.problem)
        else:
            result = import_file(
                path,
                mapping,
                today=timezone.localdate(timezone=zoneinfo.ZoneInfo(settings.ORGANISATION_TIME_ZONE)),
                dry_run=options["dry_run"],
                skip_bad=options["skip_bad"],
                update=options["update"],
                sheet=options["sheet"],
                progress=lambda text: self.stderr.write(text),
            )
        if result.is_applied and not options["dry_run"] and any(result.counts[name] for name in COUNTS[:-1]):
            rollups.rebuild()
        self.report(result)
        # With --skip-bad to leave the refused rows out is what was asked for.
        if result.problems.refused and not result.is_applied:
            sys.exit(1)

    def report(self, result):
        problems = result.problems
        for problem in problems.refused:
            self.stdout.write(str(problem))
        for title, found in (("Refused", problems.refused), ("To check", problems.warned)):
            sentences = [problem.reason for problem in found if problem.row is None] + grouped(found)
            if sentences:
                self.stdout.write(f"\n{title}:")
                for sentence in sentences:
                    self.stdout.write(f"  {sentence}")
        if result.unused:
            self.stdout.write(f"\nColumns not used: {', '.join(result.unused)}")
        if result.detail:
            self.stdout.write(f"Read as {result.detail}.")
        if problems.refused and not result.is_applied:
            self.stdout.write("Nothing was imported.")
        elif problems.refused:
            left_out = len(problems.bad_rows | problems.conflict_rows)
            self.stdout.write(f"Imported without the {left_out:,} refused {'row' if left_out == 1 else 'rows'}.")
        if result.dry_run and result.is_applied:
            self.stdout.write("Dry run: everything was taken back.")
        self.stdout.write(json.dumps(summary(result), ensure_ascii=False))


def summary(result):
    """The last line of the output: what was done, and the first hundred problems."""
    problems = result.problems
    return {
        "file": result.file,
        "mapping": result.mapping,
        "rows": result.rows,
        "skipped_rows": result.skipped_rows,
        **result.counts,
        "conflicts": problems.conflicts,
        "bad_rows": len(problems.bad_rows),
        "left_out_rows": sorted(problems.bad_rows | problems.conflict_rows) if result.is_applied else [],
        "problem_count": len(problems.refused),
        "problems": [problem.as_dict() for problem in problems.refused[:REPORTED]],
        "warning_count": len(problems.warned),
        "warnings": [problem.as_dict() for problem in problems.warned[:REPORTED]],
        "unused_columns": result.unused,
        "dry_run": result.dry_run,
        "applied": result.is_applied and not result.dry_run,
    }
