"""Half-open intervals on a line, and sets of them."""


class Interval:
    """The points from `start` up to but not including `end`."""

    __slots__ = ("start", "end")

    def __init__(self, start, end):
        if end < start:
            raise ValueError("an interval cannot end before it starts")
        self.start = start
        self.end = end

    def __repr__(self):
        return f"Interval({self.start}, {self.end})"

    def __eq__(self, other):
        if not isinstance(other, Interval):
            return NotImplemented
        return self.start == other.start and self.end == other.end

    def __hash__(self):
        return hash((self.start, self.end))

    def __contains__(self, point):
        return self.start <= point < self.end

    @property
    def length(self):
        """Distance from start to end."""
        return self.end - self.start

    def overlaps(self, other):
        """Whether the two share a point."""
        return self.start < other.end and other.start < self.end

    def touches(self, other):
        """Whether the two share a point or meet end to start."""
        return self.start <= other.end and other.start <= self.end

    def intersection(self, other):
        """The common part, or None."""
        start = max(self.start, other.start)
        end = min(self.end, other.end)
        if start >= end:
            return None
        return Interval(start, end)

    def shift(self, amount):
        """The interval moved by an amount."""
        return Interval(self.start + amount, self.end + amount)

    def split(self, point):
        """The parts before and from a point inside."""
        if point not in self or point == self.start:
            return [self]
        return [Interval(self.start, point), Interval(point, self.end)]


def merge(intervals, gap=0):
    """Join intervals that overlap, touch, or lie at most `gap` apart."""
    merged = []
    for interval in sorted(intervals, key=lambda item: (item.start, item.end)):
        if merged and interval.start - merged[-1].end <= gap:
            last = merged[-1]
            merged[-1] = Interval(last.start, max(last.end, interval.end))
        else:
            merged.append(interval)
    return merged


def subtract(interval, holes):
    """What is left of an interval without the holes."""
    left = []
    position = interval.start
    for hole in merge(holes):
        if hole.end <= position:
            continue
        if hole.start >= interval.end:
            break
        if hole.start > position:
            left.append(Interval(position, hole.start))
        position = max(position, hole.end)
    if position < interval.end:
        left.append(Interval(position, interval.end))
    return left


def coverage(intervals):
    """Total length covered, overlaps counted once."""
    total = 0
    for interval in merge(intervals):
        total += interval.length
    return total


def max_overlap(intervals):
    """The largest number of intervals that hold one point."""
    events = []
    for interval in intervals:
        if interval.length == 0:
            continue
        events.append((interval.start, 1))
        events.append((interval.end, -1))
    deepest = 0
    depth = 0
    for _, change in sorted(events):
        depth += change
        if depth > deepest:
            deepest = depth
    return deepest


def first_gap(intervals, within, length):
    """The earliest place of a given length inside `within` that no interval occupies, or None."""
    for free in subtract(within, intervals):
        if free.length >= length:
            return Interval(free.start, free.start + length)
    return None


def parse_ranges(text):
    """Sorted numbers named by a text such as `1-3,7`; both ends of a range are meant."""
    numbers = set()
    for part in text.split(","):
        part = part.strip()
        if not part:
            continue
        low, dash, high = part.partition("-")
        if not dash:
            numbers.add(int(low))
            continue
        if int(high) < int(low):
            raise ValueError(f"range {part} runs backwards")
        numbers.update(range(int(low), int(high) + 1))
    return sorted(numbers)


def format_ranges(numbers):
    """The shortest text that `parse_ranges` reads back."""
    parts = []
    run = []
    for number in sorted(set(numbers)):
        if run and number != run[-1] + 1:
            parts.append(run)
            run = []
        run.append(number)
    if run:
        parts.append(run)
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
