"""The forms of a plan: its planned days, what is expected and what was reached, and its move."""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from production.forms.fields import DayField
from production.forms.orders import REASON_NEEDED, PastDayField, today
from production.models import PLAN_CONFIRMED, Milestone, MilestoneForecast, Rebaseline
from production.wording import day

TEXT_LENGTH = 200


class DaysForm(forms.Form):
    """One day for each milestone; none is planned before what it waits for."""

    def __init__(self, *args, milestones, **kwargs):
        super().__init__(*args, **kwargs)
        self.milestones = list(milestones)
        titles = {each.code: each.title for each in self.milestones}
        for each in self.milestones:
            before = [titles[code] for code in each.predecessors if code in titles]
            self.fields[f"day_{each.code}"] = DayField(
                label=each.title,
                initial=each.planned_on,
                help_text=_("after: %(titles)s") % {"titles": ", ".join(before)} if before else "",
                error_messages={"required": _("Enter the day planned for it.")},
            )

    def days(self):
        found = ((each.code, self.cleaned_data.get(f"day_{each.code}")) for each in self.milestones)
        return {code: on for code, on in found if on}

    def check(self, days, titles):
        for each in self.milestones:
            waits = [code for code in each.predecessors if code in days and each.code in days]
            late = [code for code in waits if days[code] > days[each.code]]
            if late and f"day_{each.code}" in self.fields:
                last = max(late, key=days.get)
                told = _("That is before %(title)s, which it waits for (%(day)s).")
                self.add_error(f"day_{each.code}", told % {"title": titles[last], "day": day(days[last])})


class PlanForm(DaysForm):
    """The planned days of a whole plan, made or changed until it is confirmed."""

    def clean(self):
        data = super().clean()
        self.check(self.days(), {each.code: each.title for each in self.milestones})
        return data

    def save(self):
        for each in self.milestones:
            each.planned_on = self.cleaned_data[f"day_{each.code}"]
        Milestone.objects.bulk_create([each for each in self.milestones if each.pk is None])
        Milestone.objects.bulk_update([each for each in self.milestones if each.pk is not None], ["planned_on"])


class ConfirmPlanForm(forms.Form):
    """The planned days become the baseline."""

    def __init__(self, *args, order, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.order, self.user = order, user

    def clean(self):
        if not self.order.milestones.filter(frozen_at=None).exists():
            raise forms.ValidationError(_("The plan was confirmed already."))

    def save(self):
        now = timezone.now()
        self.order.milestones.filter(code=PLAN_CONFIRMED, actual_on=None).update(
            actual_on=today(), evidence=_("The plan was confirmed here."), recorded_at=now, recorded_by=self.user
        )
        self.order.milestones.filter(frozen_at=None).update(frozen_at=now, frozen_by=self.user)


class ForecastForm(forms.ModelForm):
    """The day that is expected for a milestone. Statements are kept; the newest counts."""

    forecast_on = DayField(label=gettext_lazy("Expected on"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=TEXT_LENGTH, required=False)

    class Meta:
        model = MilestoneForecast
        fields = ["forecast_on", "reason"]

    def __init__(self, *args, milestone, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.milestone, self.user = milestone, user
        self.fields["reason"].is_optional = True
        self.fields["reason"].help_text = _("Needed for a day after %(day)s.") % {"day": day(milestone.planned_on)}

    def clean_forecast_on(self):
        on = self.cleaned_data["forecast_on"]
        if on < today():
            raise forms.ValidationError(_("That day is over. If it is reached, record that instead."))
        return on

    def clean(self):
        data = super().clean()
        if not data.get("reason") and data.get("forecast_on") and data["forecast_on"] > self.milestone.planned_on:
            self.add_error("reason", REASON_NEEDED["required"])
        if Milestone.objects.filter(pk=self.milestone.pk, actual_on__isnull=False).exists():
            raise forms.ValidationError(_("This milestone is reached already."))
        return data

    def save(self, commit=True):
        stated = super().save(commit=False)
        stated.milestone, stated.factory_id = self.milestone, self.milestone.factory_id
        stated.stated_at, stated.stated_by = timezone.now(), self.user
        stated.save()
        return stated


class ReachedForm(forms.Form):
    """The day on which a milestone was reached, and what shows it."""

    actual_on = PastDayField(label=gettext_lazy("Reached on"))
    evidence = forms.CharField(
        label=gettext_lazy("What shows it"), max_length=TEXT_LENGTH,
        help_text=gettext_lazy("A report, a document, a photo: its name or number."),
        error_messages={"required": gettext_lazy("Say what shows that it is reached.")},
    )  # fmt: skip

    def __init__(self, *args, milestone, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.milestone, self.user = milestone, user

    def clean(self):
        data = super().clean()
        if Milestone.objects.filter(pk=self.milestone.pk, actual_on__isnull=False).exists():
            raise forms.ValidationError(_("This milestone is reached already. Take that back first."))
        return data

    def save(self):
        Milestone.objects.filter(pk=self.milestone.pk).update(
            **self.cleaned_data, recorded_at=timezone.now(), recorded_by=self.user
        )


class TakeBackForm(forms.Form):
    """A milestone that was not reached after all. The history keeps what was recorded."""

    def __init__(self, *args, milestone, **kwargs):
        super().__init__(*args, **kwargs)
        self.milestone = milestone

    def save(self):
        Milestone.objects.filter(pk=self.milestone.pk).update(
            actual_on=None, evidence="", recorded_at=None, recorded_by=None
        )


class MoveForm(DaysForm):
    """Other planned days for what is not reached yet, because of something that we changed; a manager approves it."""

    reason = forms.CharField(
        label=gettext_lazy("What we changed"), max_length=TEXT_LENGTH,
        error_messages={"required": gettext_lazy("Say what we changed.")},
    )  # fmt: skip

    def __init__(self, *args, everything, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.everything, self.user = list(everything), user
        self.order_fields([*(name for name in self.fields if name != "reason"), "reason"])

    def clean(self):
        data = super().clean()
        if not self.errors:
            days = {each.code: each.planned_on for each in self.everything} | self.days()
            self.check(days, {each.code: each.title for each in self.everything})
            if not any(each.planned_on != days[each.code] for each in self.milestones):
                raise forms.ValidationError(_("No day is another one. Change a day, or leave the plan as it is."))
        return data

    def save(self):
        now = timezone.now()
        Rebaseline.objects.bulk_create(
            Rebaseline(
                factory_id=each.factory_id, milestone=each, was_on=each.planned_on, new_on=self.cleaned_data[f"day_{each.code}"],
                reason=self.cleaned_data["reason"], asked_at=now, asked_by=self.user,
            )
            for each in self.milestones if self.cleaned_data[f"day_{each.code}"] != each.planned_on
        )  # fmt: skip


class DecideForm(forms.Form):
    """What becomes of the moves that wait: approved, they are the baseline; declined, only the history keeps them."""

    APPROVE, DECLINE = "approve", "decline"
    answer = forms.ChoiceField(
        label=gettext_lazy("Your answer"), widget=forms.RadioSelect,
        choices=[(APPROVE, gettext_lazy("Approve")), (DECLINE, gettext_lazy("Decline"))],
        error_messages={"required": gettext_lazy("Choose one of the two.")},
    )  # fmt: skip

    def __init__(self, *args, order, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.order, self.user = order, user

    def waiting(self):
        return Rebaseline.objects.filter(milestone__order=self.order, approved_at=None).select_related("milestone")

    def clean_answer(self):
        answer = self.cleaned_data["answer"]
        if answer == self.APPROVE and self.waiting().filter(asked_by=self.user).exists():
            raise forms.ValidationError(_("You asked for it: somebody else approves it."))
        return answer

    def save(self):
        waiting = list(self.waiting())
        if self.cleaned_data["answer"] == self.DECLINE:
            Rebaseline.objects.filter(pk__in=[each.pk for each in waiting]).delete()
            return
        for each in waiting:
            each.approved_at, each.approved_by = timezone.now(), self.user
            each.milestone.planned_on = each.new_on
        Rebaseline.objects.bulk_update(waiting, ["approved_at", "approved_by"])
        Milestone.objects.bulk_update([each.milestone for each in waiting], ["planned_on"])
