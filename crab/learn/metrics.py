"""How near an answer is to the truth."""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[float, float]  # start, end in seconds
Corners = tuple[float, float, float, float]  # x1, y1, x2, y2


def temporal_iou(predicted: Sequence[Span], true: Sequence[Span]) -> float:
    """Seconds in both over seconds in either, each a set of stretches; 1.0 where both are empty."""
    edges = sorted({edge for span in (*predicted, *true) for edge in span})
    both = either = 0.0
    for start, end in zip(edges, edges[1:]):
        inside = [any(a <= start and end <= b for a, b in spans) for spans in (predicted, true)]
        both += (end - start) * all(inside)
        either += (end - start) * any(inside)
    return both / either if either else 1.0


def box_iou(a: Corners, b: Corners) -> float:
    """Area of the intersection over area of the union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    either = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b)) - both
    return both / either if either else 0.0
