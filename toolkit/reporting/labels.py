"""Where the names of points go so that they cover neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0

    @property
    def area(self) -> float:
        """Its own area."""
        return (self.right - self.left) * (self.bottom - self.top)


_DISTANCES = (9.0, 16.0, 26.0, 38.0, 52.0, 68.0, 86.0, 110.0, 140.0)
_ANGLES = tuple(math.tau * step / 24 for step in range(24))
_LEADER_STEPS = 12


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    bounds: Box,
) -> list[Box]:
    """A box for each point's label; the first points get the best places.

    Greedy: every label tries places around its point, near ones first, and takes the one that covers least of
    the obstacles and of the labels and leader lines placed before.

    Args:
        points, sizes: centre of each point; width and height of its label.
        obstacles: what labels should not cover, such as markers and intervals.
        bounds: where labels must stay.
    """
    placed: list[Box] = []
    leaders: list[Box] = []
    for point, size in zip(points, sizes, strict=True):
        taken = (*placed, *leaders)
        tries = [_around(point, size, angle, distance) for distance in _DISTANCES for angle in _ANGLES]
        ranked = sorted(((_cover(box, point, taken, obstacles, bounds), n) for n, box in enumerate(tries)))
        lowest, best = float("inf"), tries[0]
        for cost, n in ranked:
            if cost >= lowest:
                break  # crossing lines only adds to it
            crossing = cost + 8 * _crossing(tries[n], point, taken) + 2 * _crossing(tries[n], point, obstacles)
            if crossing < lowest:
                lowest, best = crossing, tries[n]
        placed.append(best)
        leaders += leader(point, best)
    return placed


def _cover(
    box: Box, point: tuple[float, float], taken: Sequence[Box], obstacles: Sequence[Box], bounds: Box
) -> float:
    """How bad a place is by itself: what it covers, and how far from its point it is."""
    outside = box.area - box.overlap(bounds)
    on_labels = sum(box.overlap(other) for other in taken)
    on_obstacles = sum(box.overlap(other) for other in obstacles)
    return 50 * outside + 20 * on_labels + 6 * on_obstacles + 1.5 * math.dist(point, nearest(point, box))


def _crossing(box: Box, point: tuple[float, float], others: Sequence[Box]) -> float:
    """How bad its leader line is: what that crosses."""
    return sum(dot.overlap(other) for dot in leader(point, box) for other in others)


def nearest(point: tuple[float, float], box: Box) -> tuple[float, float]:
    """The place of the box closest to the point."""
    x, y = point
    return min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)


def leader(point: tuple[float, float], box: Box) -> list[Box]:
    """The line from a point to its label as small boxes; empty where the label is near."""
    end = nearest(point, box)
    length = math.dist(point, end)
    if length < 12:
        return []
    dots = []
    for step in range(1, _LEADER_STEPS):
        along = 8 / length + (1 - 8 / length) * step / _LEADER_STEPS
        x, y = (point[axis] + along * (end[axis] - point[axis]) for axis in (0, 1))
        dots.append(Box(x - 1.5, y - 1.5, x + 1.5, y + 1.5))
    return dots


def _around(point: tuple[float, float], size: tuple[float, float], angle: float, distance: float) -> Box:
    """A box whose edge lies `distance` from the point in the direction of `angle`."""
    cos, sin = math.cos(angle), math.sin(angle)
    x = point[0] + distance * cos + size[0] / 2 * max(-1.0, min(1.0, 1.6 * cos))
    y = point[1] + distance * sin + size[1] / 2 * max(-1.0, min(1.0, 1.6 * sin))
    return Box(x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)
