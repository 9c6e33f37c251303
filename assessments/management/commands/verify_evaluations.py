"""Compute stored evaluations again from their stored inputs, the stored sums from their rows, count live breaches; compare."""

from django.core.management.base import BaseCommand, CommandError

from assessments.models import Evaluation
from assessments.verification import miscounted, verify
from factories.models import Factory
from production import rollup_checks


class Command(BaseCommand):
    help = (
        "Compute every stored evaluation again from its stored sums and policy, and every daily sum from its rows; "
        "any difference is an error."
    )

    def add_arguments(self, parser):
        parser.add_argument("--factory", metavar="CODE")

    def handle(self, *args, factory, **options):
        evaluations = Evaluation.objects.select_related("factory__category", "category").order_by("pk")
        factories = Factory.objects.order_by("code")
        if factory:
            factories = factories.filter(code__iexact=factory)
            evaluations = evaluations.filter(factory__code__iexact=factory)
        differences = verify(evaluations.iterator(chunk_size=500))
        for difference in differences[:100]:
            self.stderr.write(str(difference))
        sums = [row[0] for each in factories.values_list("pk", flat=True) for row in rollup_checks.differences([each])]
        for row in sums[:100]:
            self.stderr.write(f"Daily sum differs from its rows: {row}")
        numbers = miscounted()
        for number in numbers[:100]:
            self.stderr.write(number)
        if differences or sums or numbers:
            raise CommandError(
                f"{len(differences)} differences in {evaluations.count()} evaluations, {len(sums)} in daily sums, "
                f"{len(numbers)} factories with another number of live breaches than they have."
            )
        self.stdout.write(
            f"{evaluations.count()} evaluations compute to what they say, and the daily sums to their rows."
        )
