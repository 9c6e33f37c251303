"""Evidence of a claim: added, handed out to those who may read the claim, and taken out of a draft again."""

import logging

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from assessments import claim_evidence as proofs
from assessments.claim_forms import AddEvidenceForm
from assessments.models import ClaimEvidence
from assessments.views.claim_lists import READERS
from assessments.views.claims import claim_of, show
from assessments.views.entrance import STAFF, open_to
from production.errors import BadInput

logger = logging.getLogger(__name__)
# Even a file that found a way to be a page gets nothing to do: it is saved, never shown, and may run nothing.
AS_A_FILE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@require_POST
@open_to(READERS)
def evidence_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Adds files, or a note."""
    claim = claim_of(request, pk)
    if not proofs.may_add(claim, request.user):
        return render(request, "403.html", status=403)
    form = AddEvidenceForm(request.POST, request.FILES, auto_id="evidence_%s")
    if form.is_valid():
        try:
            added = proofs.add(claim, request.user, form.cleaned_data["files"], form.cleaned_data["caption"])
        except BadInput as problem:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        else:
            names = ", ".join(row.name for row in added if row.name)
            messages.success(request, _("Added: %(names)s.") % {"names": names} if names else _("The note is added."))
            return HttpResponseRedirect(claim.get_absolute_url())
    return show(request, claim, evidence_form=form)


@require_safe
@open_to(READERS)
def evidence_file(request: HttpRequest, pk: int, evidence: int) -> HttpResponseBase:
    """The file itself, always as a download."""
    row = _evidence(request, pk, evidence)
    if not row.is_file:
        return HttpResponseRedirect(row.claim.get_absolute_url())
    try:
        content = row.file.open("rb")
    except OSError:
        logger.exception("evidence %s of %s is not in the store", row.pk, row.claim)
        messages.error(request, _("“%(name)s” is not in the store of files any more.") % {"name": row.name})
        return HttpResponseRedirect(row.claim.get_absolute_url())
    return FileResponse(
        content, as_attachment=True, filename=row.name, content_type=row.content_type, headers=AS_A_FILE
    )


@require_POST
@open_to(STAFF)
def evidence_remove(request: HttpRequest, pk: int, evidence: int) -> HttpResponse:
    """Out of a draft again; it can be put back until the claim is sent."""
    row = _evidence(request, pk, evidence)
    if not proofs.remove(row, request.user):
        messages.error(request, _("Evidence of a claim that was sent stays."))
    return HttpResponseRedirect(row.claim.get_absolute_url())


@require_POST
@open_to(STAFF)
def evidence_restore(request: HttpRequest, pk: int, evidence: int) -> HttpResponse:
    """Back into the draft."""
    row = _evidence(request, pk, evidence)
    try:
        proofs.restore(row, request.user)
    except BadInput as problem:
        messages.error(request, problem.message)
    return HttpResponseRedirect(row.claim.get_absolute_url())


def _evidence(request: HttpRequest, pk: int, evidence: int) -> ClaimEvidence:
    claim = claim_of(request, pk)
    found = ClaimEvidence.objects.visible_to(request.user).filter(claim=claim).select_related("claim")
    return get_object_or_404(found, pk=evidence)
