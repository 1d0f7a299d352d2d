"""
Small graphs of the last hour, as SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ingress.admin.html.markup import Markup, join, tag

Values = Sequence[float | None]
"""Values at equal distances, the oldest first; None where nothing is known."""

Lines = Sequence[tuple[Values, str]]
"""Each with its class; the lines of a graph have one scale, which begins at 0."""

_WIDTH: Final = 100
_HEIGHT: Final = 30
_SPARK_POINTS: Final = 60
_POINTS: Final = 180


def padded(values: Values, points: int) -> Values:
    """:return: so many values at least; before the first one nothing is known."""
    return [*[None] * (points - len(values)), *values]


def sparkline(lines: Lines, label: str, *, has_areas: bool = True) -> Markup:
    """
    :param label: says in words what the lines show.
    :return: lines without scales, for a cell of a table.
    """
    drawn = [(_thinned(values, _SPARK_POINTS), kind) for values, kind in lines]
    most = max((_most(values) for values, _ in drawn), default=1.0)
    areas = [_area(values, most, f"{kind} area") for values, kind in drawn if has_areas]
    shapes = join(areas, [_line(values, most, f"{kind} line") for values, kind in drawn])
    return tag("div", _svg(label, shapes), class_="spark", title=label)


def chart(lines: Lines, label: str, axis: Markup, *, has_area: bool = True) -> Markup:
    """
    :param axis: what stands below the graph.
    """
    drawn = [(_thinned(values, _POINTS), kind) for values, kind in lines]
    most = max((_most(values) for values, _ in drawn), default=1.0)
    areas = [_area(values, most, f"{kind} area") for values, kind in drawn[:1] if has_area]
    base = tag("line", x1=0, y1=_HEIGHT, x2=_WIDTH, y2=_HEIGHT, class_="base")
    shapes = join(base, areas, [_line(values, most, f"{kind} line") for values, kind in drawn])
    return tag("div", _svg(label, shapes), axis, class_="graph")


def _svg(label: str, *shapes: Markup) -> Markup:
    return tag(
        "svg",
        *shapes,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def _most(values: Values) -> float:
    """:return: the top of the scale, never 0."""
    return max((value for value in values if value is not None), default=0) or 1.0


def _thinned(values: Values, points: int) -> Values:
    """:return: so many values at most; of neighbours the highest, so that no peak gets lost."""
    step = -(-len(values) // points)
    if step <= 1:
        return values
    groups = (values[start : start + step] for start in range(0, len(values), step))
    return [max((value for value in group if value is not None), default=None) for group in groups]


def _runs(values: Values, most: float) -> Iterator[list[tuple[float, float]]]:
    """:return: the points of each part of the line: it is interrupted where nothing is known."""
    step = _WIDTH / max(1, len(values) - 1)
    run: list[tuple[float, float]] = []
    for index, value in enumerate(values):
        if value is not None:
            run.append((round(index * step, 2), round(_HEIGHT * (1 - value / most), 2)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _line(values: Values, most: float, kind: str) -> Markup:
    parts = []
    for run in _runs(values, most):
        points = run if len(run) > 1 else [run[0], (run[0][0] + 0.3, run[0][1])]
        parts.append(_path(points))
    return tag("path", d=" ".join(parts), class_=kind)


def _area(values: Values, most: float, kind: str) -> Markup:
    parts = [
        f"{_path(run)}L{run[-1][0]:g} {_HEIGHT}L{run[0][0]:g} {_HEIGHT}Z"
        for run in _runs(values, most)
    ]
    return tag("path", d=" ".join(parts), class_=kind)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
