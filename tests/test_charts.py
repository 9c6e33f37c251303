"""The drawings say what the numbers say, and nothing a label contains becomes markup."""

import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe

from assessments.charts import (
    Lot,
    Point,
    grade_changes,
    heat_class,
    heat_steps,
    histogram,
    p_chart,
    points_rule,
    sparkline,
    trend,
)

HOSTILE = '"><script>alert(1)</script><b x=\'y\' onload="z">&'
MONTHS = "Dec Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov".split()


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def on_time(*values, **more):
    points = [
        Point(
            month,
            value,
            None if value is None else max(0, value - 0.05),
            None if value is None else min(1, value + 0.03),
            **more,
        )
        for month, value in zip(MONTHS, values, strict=False)
    ]
    return trend(points, Decimal("0.98"), Decimal("0.90"), False, "On time", "Fell.")


def every_chart():
    return {
        "trend": on_time(0.97, 0.95, None, 0.71),
        "p_chart": p_chart(
            [Lot("L1", 0.02), Lot("L2", None), Lot("L3", 0.2)],
            0.04,
            [0.1, 0.1, 0.12],
            [None, None, 0.0],
            "Defects",
            "d",
        ),
        "histogram": histogram({-3: 2, 0: 5, 4: 1, 90: 1}, 1, "Days late", "d"),
        "grade_changes": grade_changes([("Sep 2026", 0, 3), ("Oct 2026", 12, 1)], "Grades", "d"),
        "points_rule": points_rule(0.98, 0.90, 0.70, 0.714, False, "Points", "d"),
    }


def drawings(markup):
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", markup, re.DOTALL)]


def shapes(markup, tag, class_=None):
    first = drawings(markup)[0]
    return [e for e in first.iter(tag) if class_ is None or class_ in (e.get("class") or "").split()]


def words(markup):
    return [e.text for e in drawings(markup)[0].iter("text")]


@pytest.mark.parametrize("name", every_chart())
def test_each_chart_is_drawn_wide_and_narrow_with_name_and_description(name):
    markup = every_chart()[name]
    assert isinstance(markup, SafeString)
    wide, narrow = drawings(markup)
    assert [d.get("class") for d in (wide, narrow)] == ["w", "n"]
    assert [d.get("viewBox").split()[2] for d in (wide, narrow)] == ["720", "358"]
    for drawing in (wide, narrow):
        assert drawing.get("role") == "img"
        assert drawing.find("title").text
        assert drawing.find("desc").text


@pytest.mark.parametrize("name", every_chart())
def test_no_chart_carries_styles_scripts_or_links(name):
    assert not re.search(r"\sstyle=|<style|<script|<a\b|\son\w+=|href", every_chart()[name])


@pytest.mark.parametrize("name", every_chart())
def test_nothing_is_drawn_outside_the_picture(name):
    for drawing in drawings(every_chart()[name]):
        width, height = (float(n) for n in drawing.get("viewBox").split()[2:])
        for shape in drawing.iter():
            for key, most in (
                ("x", width),
                ("cx", width),
                ("x1", width),
                ("x2", width),
                ("y", height),
                ("cy", height),
                ("y1", height),
            ):
                assert -1 <= float(shape.get(key, 0)) <= most + 1


@pytest.mark.parametrize("label", [HOSTILE, mark_safe(HOSTILE)])
def test_hostile_words_stay_words(label):
    charts = [
        trend([Point(label, 0.9, note=label), Point("b", 0.8)], 0.98, 0.9, False, label, label),
        p_chart([Lot(label, 0.5, label), Lot("b", 0.1)], 0.1, [0.2, 0.2], [None, None], label, label),
        histogram({1: 1}, 0, label, label),
        grade_changes([(label, 1, 1)], label, label),
        points_rule(0.98, 0.9, 0.7, 0.8, False, label, label),
        sparkline([0.9] * 8, 0, 1, 0.95, label),
    ]
    for markup in charts:
        assert not re.search("<script|<b ", markup)
        assert drawings(markup)  # still well-formed
    assert drawings(charts[0])[0].find("title").text == HOSTILE


def test_a_month_without_data_is_a_gap_not_a_zero():
    markup = on_time(0.97, 0.96, None, 0.95, 0.94)
    assert len(shapes(markup, "circle")) == 4
    assert len(shapes(markup, "polyline", "cl")) == 2


def test_no_data_at_all_draws_an_empty_frame():
    markup = on_time(None, None, None)
    assert shapes(markup, "circle") + shapes(markup, "rect", "cb") == []
    assert "target 98%" in words(markup)


def test_points_outside_the_limit_are_squares_and_few_data_are_open():
    markup = trend(
        [Point("a", 0.95), Point("b", 0.9), Point("c", 0.899), Point("d", 0.5, few=True)], 0.98, 0.9, False, "t", "d"
    )
    assert len(shapes(markup, "circle")) == 2  # exactly at the limit is within it
    squares = [r for r in shapes(markup, "rect") if r.get("width") == "9"]
    assert len(squares) == 2
    assert [s.get("fill") for s in squares] == ["#8F1D0B", "#FFFFFF"]


def test_for_defects_more_is_worse():
    markup = trend([Point("a", 0.02), Point("b", 0.05)], 0.01, 0.03, True, "t", "d")
    assert len(shapes(markup, "circle")) == 1
    assert len(shapes(markup, "rect", "cb")) == 1
    strip = shapes(markup, "rect", "cs")[0]
    limit = shapes(markup, "line", "cli")[0]
    assert strip.get("height") == "9"
    assert float(strip.get("y")) + 9 == pytest.approx(float(limit.get("y1")), abs=0.1)


def test_lines_are_labelled_directly_and_the_cut_axis_is_said():
    told = words(on_time(0.97, 0.95, 0.714))
    assert {"target 98%", "limit 90%", "71.4%"} <= set(told)
    assert any(word.startswith("axis starts at") for word in told)


def test_labels_at_the_right_do_not_cover_each_other():
    markup = trend([Point("a", 0.951)], 0.95, 0.949, False, "t", "d")
    heights = sorted(float(e.get("y")) for e in drawings(markup)[0].iter("text") if float(e.get("x")) > 620)
    assert all(b - a >= 14 for a, b in pairwise(heights))


def test_numbers_are_written_in_the_readers_language():
    with translation.override("vi"):
        assert any(word.endswith("71,4%") for word in words(on_time(0.9, 0.714)))


def test_decimals_and_floats_draw_the_same():
    assert on_time(0.9, 0.8) == on_time(0.9, 0.8)
    one = trend([Point("a", Decimal("0.9"))], Decimal("0.98"), Decimal("0.9"), False, "t", "d")
    assert one == trend([Point("a", 0.9)], 0.98, 0.9, False, "t", "d")


def test_a_sparkline_says_where_it_began_and_ended():
    drawing = drawings(sparkline([0.97, 0.95, None, 0.9, 0.9, 0.8, 0.71], 0.5, 1, 0.95, "On time"))[0]
    assert (drawing.get("width"), drawing.get("height")) == ("112", "28")
    assert drawing.get("aria-label") == "On time, 97% to 71%"
    assert len([p for p in drawing.iter("polyline")]) == 2


def test_few_months_are_words_not_a_line():
    assert "3 months only" in sparkline([None] * 9 + [1, 0.5, 1], 0.5, 1, 0.95)
    assert "1 month only" in sparkline([0.9], 0.5, 1, 0.95)
    assert "no data" in sparkline([], 0.5, 1, 0.95)


def test_a_sparkline_survives_a_flat_scale():
    assert drawings(sparkline([1.0] * 8, 1, 1, None))


def test_control_limits_step_with_the_lot():
    markup = p_chart([Lot(str(i), 0.05) for i in range(3)], 0.05, [0.1, 0.2, 0.1], [None] * 3)
    stairs = shapes(markup, "polyline", "cm")[0].get("points").split()
    assert len(stairs) == 6
    assert stairs[0].split(",")[1] == stairs[1].split(",")[1] != stairs[2].split(",")[1]


def test_a_lot_beyond_its_limit_is_a_square_with_its_value():
    markup = p_chart([Lot("L1", 0.04), Lot("L2", 0.112, "9 of 80")], 0.05, [0.1, 0.1], [None, None])
    assert len(shapes(markup, "rect", "cb")) == 1
    assert "11.2%" in words(markup)
    assert "L2: 11.2% (9 of 80)" in markup


def test_eight_lots_on_one_side_are_marked_once():
    assert words(p_chart([Lot(f"L{i}", 0.02) for i in range(10)], 0.05, [0.1] * 10, [None] * 10)).count("8") == 1
    assert "8" not in words(p_chart([Lot(f"L{i}", 0.02) for i in range(7)], 0.05, [0.1] * 7, [None] * 7))


def test_limits_must_match_the_lots():
    with pytest.raises(ValueError, match="per lot"):
        p_chart([Lot("L1", 0.1)], 0.1, [], [])


def test_the_tails_of_the_histogram_are_gathered():
    markup = histogram({-30: 1, -20: 2, 0: 5, 2: 1, 60: 4}, grace=1)
    told = [t.text for t in drawings(markup)[0].iter("title")]
    assert {"≤ −7: 3", "≥ +14: 4"} <= set(told)
    assert [len(shapes(markup, "rect", name)) for name in ("bar-ok", "bar-bad")] == [2, 2]


def test_better_grades_stand_above_the_line_and_worse_ones_hang_below_it():
    markup = grade_changes([("Sep 2026", 0, 3), ("Oct 2026", 12, 1)], "Grades", "d")
    (better,), worse = shapes(markup, "rect", "bar-ok"), shapes(markup, "rect", "bar-bad")
    line = float(shapes(markup, "line", "cx")[0].get("y1"))
    assert float(better.get("y")) + float(better.get("height")) == pytest.approx(line, abs=0.1)
    assert [float(bar.get("y")) for bar in worse] == [pytest.approx(line, abs=0.1)] * 2
    assert [t.text for t in drawings(markup)[0].iter("title")][1:] == [
        "Sep 2026: 3 worse",
        "Oct 2026: 12 better",
        "Oct 2026: 1 worse",
    ]
    assert not any(word.startswith("-") for word in words(markup))


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (0, 1), (480, 0)])
def test_grades_that_change_one_way_only_are_drawn_too(counts):
    assert drawings(grade_changes([("Oct 2026", *counts)] * 12, "t", "d"))


@pytest.mark.parametrize(
    ("target", "limit", "zero", "value", "lower", "points"),
    [
        (0.98, 0.90, 0.70, 0.98, False, "100.0"),
        (0.98, 0.90, 0.70, 0.94, False, "80.0"),
        (0.98, 0.90, 0.70, 0.90, False, "60.0"),
        (0.98, 0.90, 0.70, 0.80, False, "30.0"),
        (0.98, 0.90, 0.70, 0.5, False, "0.0"),
        (0.01, 0.03, 0.06, 0.02, True, "80.0"),
        (0.01, 0.03, 0.06, 0.045, True, "30.0"),
    ],
)
def test_the_points_picture_reads_the_rule(target, limit, zero, value, lower, points):
    assert f"gives {points} points" in points_rule(target, limit, zero, value, lower)


def test_the_points_picture_works_without_a_value():
    assert "gives" not in points_rule(0.01, 0.03, 0.06, None, True)


@pytest.mark.parametrize(
    ("value", "class_"),
    [
        (0.7, "h1"),
        (0.8, "h2"),
        (0.87, "h3"),
        (0.9, "h4"),
        (0.949, "h4"),
        (0.95, "h5"),
        (0.97, "h6"),
        (0.985, "h7"),
        (None, "nil"),
    ],
)
def test_heat_classes_split_at_limit_and_target(value, class_):
    assert heat_class(value, 0.95, 0.90) == class_


def test_heat_classes_of_defects_run_the_other_way():
    classes = [heat_class(v, 0.01, 0.03, True) for v in (0.2, 0.06, 0.04, 0.03, 0.01, 0.006, 0.0)]
    assert classes == ["h1", "h2", "h3", "h4", "h5", "h6", "h7"]
    assert heat_class(0.5, 0.01, 0.03, True, few=True) == "few"
    assert heat_steps(0.01, 0.03, True) == sorted(heat_steps(0.01, 0.03, True), reverse=True)
