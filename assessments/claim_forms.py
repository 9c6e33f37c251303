"""What people type about claims: evidence, a reason, how it was settled."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from assessments import file_kinds
from assessments.claim_evidence import MOST_AT_ONCE, MOST_BYTES_AT_ONCE
from assessments.models import Claim
from factories.models import Factory
from factories.widgets import LongSelect
from production.errors import BadInput

MEGABYTE = 1024 * 1024


class ClaimFilter(forms.Form):
    """By factory and currency, offered what there is; a value that is no choice filters nothing."""

    factory = forms.ChoiceField(label=_("Factory"), required=False, widget=LongSelect)
    currency = forms.RegexField(r"^[A-Z]{3}$", required=False, widget=forms.HiddenInput)

    def __init__(self, query: QueryDict, factories):
        super().__init__(query)
        named = Factory.objects.filter(pk__in=factories.order_by().values("factory")).order_by("name", "code")
        self.fields["factory"].choices = [("", _("Every factory")), *named.values_list("code", "name")]
        self.is_valid()

    def apply(self, rows, with_currency=True):
        if factory := self.cleaned_data.get("factory"):
            rows = rows.filter(factory__code=factory)
        if with_currency and (currency := self.cleaned_data.get("currency")):
            rows = rows.filter(currency=currency)
        return rows

    @property
    def is_set(self):
        return any(self.cleaned_data.values())


class EvidenceForm(forms.Form):
    evidence = forms.CharField(
        label=_("Evidence"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What shows the loss: documents, counts, photos. The files themselves are added to the draft."),
    )


class Files(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.Field):
    """Several files, each read for what it is; the value is a list of `file_kinds.Known`, and each wrong one is named."""

    def __init__(self, **kwargs):
        kwargs.setdefault("label", _("Files"))
        kwargs.setdefault("required", False)
        kwargs["widget"] = Files(attrs={"accept": ",".join(file_kinds.ACCEPTED)})
        kwargs["help_text"] = _(
            "Several at once, each up to %(size)s MB: %(kinds)s. Of pictures the place where they were taken is not kept."
        ) % {"size": file_kinds.MOST_BYTES // MEGABYTE, "kinds": file_kinds.IN_WORDS}
        super().__init__(**kwargs)

    def clean(self, value):
        given = list(value or [])
        if len(given) > MOST_AT_ONCE:
            raise forms.ValidationError(_("At most %(count)s files at once.") % {"count": MOST_AT_ONCE})
        if sum(file.size for file in given) > MOST_BYTES_AT_ONCE:
            most = MOST_BYTES_AT_ONCE // MEGABYTE
            raise forms.ValidationError(_("At most %(size)s MB at once. Send them in parts.") % {"size": most})
        found, wrong = [], []
        for file in given:
            try:
                found.append(file_kinds.known(file.name, file.read(file_kinds.MOST_BYTES + 1)))
            except BadInput as problem:
                wrong.append(problem.message)
        if wrong:
            raise forms.ValidationError(wrong)
        return found


class AddEvidenceForm(forms.Form):
    """Files with what they show, or only a note."""

    files = FilesField()
    caption = forms.CharField(
        label=_("What they show, or a note without a file"), required=False, max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip

    def clean(self):
        data = super().clean()
        if not self.errors and not data.get("files") and not data.get("caption", "").strip():
            self.add_error("files", _("Choose a file, or write what there is to know."))
        return data


class MoveForm(forms.Form):
    note = forms.CharField(label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args, needs_reason=False, says_who=False, takes_files=False, **kwargs):
        super().__init__(*args, **kwargs)
        note = self.fields["note"]
        if needs_reason:
            note.label, note.required = _("Reason"), True
            note.error_messages["required"] = _("Say why.")
        elif says_who:
            note.label, note.required = _("Who accepted it, and how"), True
            note.help_text = _("A person of the factory, and the call, letter or meeting in which it was said.")
            note.error_messages["required"] = _("Say who accepted it, and how.")
        if takes_files:
            self.fields["files"] = FilesField()


class SettleForm(forms.Form):
    settled_by = forms.ChoiceField(label=_("How"), choices=Claim.Settlement.choices, widget=forms.RadioSelect)
    settled_on = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}))
    reference = forms.CharField(label=_("Document"), max_length=120, required=False)
    settlement_currency = forms.RegexField(
        r"^[A-Z]{3}$", label=_("Currency paid in"), required=False, strip=True,
        error_messages={"invalid": _("Use the three-letter code, for example CNY.")},
    )  # fmt: skip
    settlement_rate = forms.DecimalField(
        label=_("Rate"), required=False, min_value=0, max_digits=18, decimal_places=8,
        help_text=_("How much of that currency one unit of the claim's currency buys. Only for another currency."),
    )  # fmt: skip
    note = forms.CharField(label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))

    def clean_settlement_rate(self):
        rate = self.cleaned_data["settlement_rate"]
        if rate is not None and rate <= 0:
            raise forms.ValidationError(_("The rate must be more than 0."))
        return rate
