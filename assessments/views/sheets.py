"""How a score was worked out, as a PDF to print or to send."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments import pdf, wording
from assessments.figures import day
from assessments.models import Grade
from assessments.views.entrance import BUSINESS, factory_or_404, open_to, today
from assessments.views.judged import evaluation_or_404, or_which_there_are
from assessments.views.scores import explained


@require_safe
@open_to(BUSINESS)
@or_which_there_are
def score_sheet(request: HttpRequest, code: str, period: str) -> HttpResponse:
    """The page of a score on paper: every number and sentence that the score stands on."""
    factory = factory_or_404(request.user, code)
    evaluation = evaluation_or_404(request, factory, period)
    sheet = explained(request, evaluation)
    sheet |= {"words": [(name, word(grade)) for name, grade in sheet["grades"]], "printed": day(today())}
    try:
        content = pdf.of(render_to_string("assessments/score_sheet.html", sheet, request))
    except pdf.NoPango:
        messages.error(request, _("This server cannot make a PDF. Print the page from the browser instead."))
        return HttpResponseRedirect(wording.score_url(evaluation))
    name = f"{factory.code}-score-{evaluation.period}-r{evaluation.revision}.pdf"
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def word(grade: str) -> str:
    """A grade as a word: paper shows no pills."""
    return _("Too few data") if grade == "no_data" else _(Grade(grade).label)
