"""Print one factory's scorecard as of a day."""

import datetime
import json

from django.core.management.base import BaseCommand, CommandError

from assessments import wording
from assessments.evaluations import judge_as_known_on
from assessments.models import Measure, Policy, Status
from factories.models import Factory


class Command(BaseCommand):
    help = (
        "The scorecard of a factory from the facts known on a day: score, grade, and every measure with its fraction. "
        "What came later, such as a row set aside since, is not in it; the page of the score has it."
    )

    def add_arguments(self, parser):
        parser.add_argument("code")
        parser.add_argument("--as-of", type=datetime.date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args, code, as_of, format, **options):
        factory = Factory.objects.filter(code__iexact=code).first()
        if factory is None:
            raise CommandError(f"There is no factory {code}.")
        try:
            policy, window_days, judged = judge_as_known_on(factory, as_of)
        except Policy.DoesNotExist as problem:
            raise CommandError(str(problem)) from problem
        card = {
            "factory": factory.code, "name": factory.name, "as_of": as_of.isoformat(), "window_days": window_days,
            "policy": policy.pk, "score": str(judged.score) if judged.score is not None else None,
            "ungated_grade": judged.ungated or None, "grade": judged.raw, "gates": judged.gates, "flags": judged.flags,
            "measures": judged.measures, "sums": judged.sums,
        }  # fmt: skip
        if format == "json":
            self.stdout.write(json.dumps(card, indent=2))
            return
        self.stdout.write(f"{factory.name} {factory.code}, as of {as_of}, {window_days} days, policy {policy}")
        self.stdout.write(f"Score {card['score'] or 'too few data'}, grade {judged.raw.replace('_', ' ')}")
        for name, measure in judged.measures.items():
            status = wording.state_word(name, measure) or dict(Status.choices).get(measure["status"], "Does not apply")
            rate = f"{float(measure['rate']) * 100:.2f} %" if measure["rate"] is not None else "-"
            fraction = wording.fraction(name, measure)
            self.stdout.write(
                f"{Measure(name).label:18} {rate:>9}  {fraction:31} {status:16} adds {measure['adds'] or '-'}"
            )
        for gate in judged.gates:
            self.stdout.write(f"Gate {gate['label']}: at most {gate['cap']}")
