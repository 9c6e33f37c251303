"""What people type about disputes: what is not right, and the answer."""

from django import forms
from django.utils.translation import gettext_lazy as _

SET_ASIDE, UPHELD, DECLINED = "set_aside", "upheld", "declined"


class DisputeForm(forms.Form):
    reason = forms.CharField(
        label=_("What is not right?"), max_length=2000, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("What happened, and what shows it: a document, a date, a count."),
        error_messages={"required": _("Say what is not right.")},
    )  # fmt: skip


class AnswerForm(forms.Form):
    how = forms.ChoiceField(
        label=_("What follows"), widget=forms.RadioSelect,
        choices=[
            (SET_ASIDE, _("Set the row aside: a second person has to agree")),
            (UPHELD, _("Upheld: the facts were corrected")),
            (DECLINED, _("Declined: it stays as it is")),
        ],
        error_messages={"required": _("Choose what follows.")},
    )  # fmt: skip
    answer = forms.CharField(
        label=_("Answer"), max_length=2000, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("The factory reads this."),
        error_messages={"required": _("Write an answer: the factory reads it.")},
    )  # fmt: skip
