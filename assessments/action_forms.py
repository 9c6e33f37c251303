"""What people type about actions: what a factory is asked to do, and what was done."""

from django import forms
from django.utils.translation import gettext_lazy as _


class AskForm(forms.Form):
    title = forms.CharField(
        label=_("What"), max_length=120, help_text=_("In a few words, as the factory will read it."),
        error_messages={"required": _("Say what is asked.")},
    )  # fmt: skip
    text = forms.CharField(
        label=_("What is expected"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What is to be done, and what would prove it."),
    )  # fmt: skip
    due_on = forms.DateField(
        label=_("Due on"), widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"required": _("Say until when.")},
    )  # fmt: skip


class StepForm(forms.Form):
    note = forms.CharField(label=_("Note"), required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args, label="", needed=False, **kwargs):
        super().__init__(*args, **kwargs)
        if label:
            self.fields["note"].label = label
        self.fields["note"].required = needed
        self.fields["note"].error_messages["required"] = _("Say it in a few words.")
