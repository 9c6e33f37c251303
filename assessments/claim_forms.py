"""What people type about claims: evidence, a reason, how it was settled."""

from django import forms
from django.utils.translation import gettext_lazy as _

from assessments.models import Claim


class EvidenceForm(forms.Form):
    evidence = forms.CharField(
        label=_("Evidence"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Documents, counts, photos: where they are, and what they show."),
    )


class MoveForm(forms.Form):
    note = forms.CharField(label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args, needs_reason=False, **kwargs):
        super().__init__(*args, **kwargs)
        if needs_reason:
            self.fields["note"].label = _("Reason")
            self.fields["note"].required = True
            self.fields["note"].error_messages["required"] = _("Say why.")


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
