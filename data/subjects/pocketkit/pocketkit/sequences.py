"""Working with lists: chunks, windows, groups, searches and merges."""


def chunked(items, size, pad=None):
    """Consecutive lists of `size`; the last is shorter unless a pad is given."""
    if size < 1:
        raise ValueError("size must be positive")
    chunks = [list(items[start : start + size]) for start in range(0, len(items), size)]
    if chunks and pad is not None:
        chunks[-1] += [pad] * (size - len(chunks[-1]))
    return chunks


def windows(items, size, step=1):
    """Overlapping lists of `size`, each `step` after the one before."""
    if size < 1 or step < 1:
        raise ValueError("size and step must be positive")
    return [list(items[start : start + size]) for start in range(0, len(items) - size + 1, step)]


def unique(items, key=None):
    """Items in order without repetitions."""
    seen = set()
    out = []
    for item in items:
        mark = key(item) if key else item
        if mark in seen:
            continue
        seen.add(mark)
        out.append(item)
    return out


def flatten(items, depth=-1):
    """Nested lists and tuples made flat, down to `depth` levels (all of them if negative)."""
    out = []
    for item in items:
        if isinstance(item, (list, tuple)) and depth != 0:
            out.extend(flatten(item, depth - 1))
        else:
            out.append(item)
    return out


def group_by(items, key):
    """Lists of items by their key, keys in order of first appearance."""
    groups = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def partition(items, predicate):
    """Items that satisfy a predicate and items that do not."""
    yes, no = [], []
    for item in items:
        if predicate(item):
            yes.append(item)
        else:
            no.append(item)
    return yes, no


def run_lengths(items):
    """(item, count) pairs of consecutive equal items."""
    runs = []
    for item in items:
        if runs and runs[-1][0] == item:
            runs[-1] = (item, runs[-1][1] + 1)
        else:
            runs.append((item, 1))
    return runs


def bisect(items, value, right=False):
    """Place in a sorted list where a value belongs: before equal items, or after them."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < value or (right and items[middle] == value):
            low = middle + 1
        else:
            high = middle
    return low


def merge_sorted(left, right, reverse=False):
    """One sorted list from two sorted ones; equal items of the left come first."""
    out = []
    i = j = 0
    while i < len(left) and j < len(right):
        take_right = left[i] < right[j] if reverse else right[j] < left[i]
        if take_right:
            out.append(right[j])
            j += 1
        else:
            out.append(left[i])
            i += 1
    out.extend(left[i:])
    out.extend(right[j:])
    return out


def rotate(items, amount=1):
    """Items moved to the right, those that fall out coming back on the left."""
    if not items:
        return []
    amount %= len(items)
    return list(items[-amount:]) + list(items[:-amount]) if amount else list(items)


def top(items, count=3, key=None):
    """The largest items, largest first; earlier ones win ties."""
    if count <= 0:
        return []
    ranked = sorted(items, key=key, reverse=True)
    return ranked[:count]


def moving_average(values, size):
    """Means over windows of `size`, shorter at the start."""
    if size < 1:
        raise ValueError("size must be positive")
    out = []
    total = 0
    for index, value in enumerate(values):
        total += value
        if index >= size:
            total -= values[index - size]
        out.append(total / min(index + 1, size))
    return out


def longest_run(items, predicate):
    """(start, length) of the longest stretch whose items all satisfy a predicate; the first wins."""
    best = (0, 0)
    start = None
    for index, item in enumerate(items):
        if not predicate(item):
            start = None
            continue
        if start is None:
            start = index
        length = index - start + 1
        if length > best[1]:
            best = (start, length)
    return best


def difference(left, right):
    """Items of the left list without those of the right; a repeated item goes as often as it is named."""
    remaining = list(right)
    out = []
    for item in left:
        if item in remaining:
            remaining.remove(item)
        else:
            out.append(item)
    return out
