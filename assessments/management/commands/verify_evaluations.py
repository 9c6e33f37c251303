"""Compute stored evaluations again from their stored inputs, and compare."""

from django.core.management.base import BaseCommand, CommandError

from assessments.models import Evaluation
from assessments.verification import verify


class Command(BaseCommand):
    help = "Compute every stored evaluation again from its stored sums and policy; any difference is an error."

    def add_arguments(self, parser):
        parser.add_argument("--factory", metavar="CODE")

    def handle(self, *args, factory, **options):
        evaluations = Evaluation.objects.select_related("factory__category", "category").order_by("pk")
        if factory:
            evaluations = evaluations.filter(factory__code__iexact=factory)
        differences = verify(evaluations.iterator(chunk_size=500))
        for difference in differences[:100]:
            self.stderr.write(str(difference))
        if differences:
            raise CommandError(f"{len(differences)} differences in {evaluations.count()} evaluations.")
        self.stdout.write(f"{evaluations.count()} evaluations compute to what they say.")
