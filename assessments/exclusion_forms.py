"""What people type about exclusions: why a row should not count, and what was decided."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ProposeForm(forms.Form):
    reason = forms.CharField(
        label=_("Why should it not count?"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("One or two sentences. The factory reads them, too."),
        error_messages={"required": _("Say why it should not count.")},
    )  # fmt: skip
    evidence = forms.CharField(
        label=_("Evidence"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What proves it: a document number, a mail of a day, who said what."),
    )  # fmt: skip


class NoteForm(forms.Form):
    note = forms.CharField(label=_("Note"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args, label="", needed=False, **kwargs):
        super().__init__(*args, **kwargs)
        if label:
            self.fields["note"].label = label
        self.fields["note"].required = needed
        self.fields["note"].error_messages["required"] = _("Say it in a few words.")
