"""The canonical order of an element's dependencies.

The comparison mixes a partial order (who needs whom) with names, so it is not
a total order and the result depends on the sorting algorithm.  Cache keys
depend on the result, hence the algorithm is part of the format: it is the
adaptive, stable merge sort of CPython 3.11 and 3.12, written out here because
other versions of the interpreter detect runs or merge them differently.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
LessThan = Callable[[Item, Item], bool]

_MIN_GALLOP = 7
_SHORT = 64  # below this length a single run is extended by binary insertion


def stable_sort(items: list[Item], less_than: LessThan[Item]) -> list[Item]:
    """ITEMS in the canonical order for LESS_THAN, as a new list.

    O(n log n) comparisons; LESS_THAN need not be a total order.
    """
    result = list(items)
    count = len(result)
    if count < 2:
        return result
    if count < _SHORT:
        _binary_insertion(result, 0, count, _count_run(result, 0, count, less_than), less_than)
        return result
    _MergeSort(result, less_than).sort()
    return result


def _count_run(items: list[Item], low: int, high: int, less_than: LessThan[Item]) -> int:
    """Length of the run that starts at LOW; a strictly descending one is reversed in place."""
    end = low + 1
    if end == high:
        return 1
    if less_than(items[end], items[low]):
        end += 1
        while end < high and less_than(items[end], items[end - 1]):
            end += 1
        items[low:end] = items[low:end][::-1]
    else:
        end += 1
        while end < high and not less_than(items[end], items[end - 1]):
            end += 1
    return end - low


def _binary_insertion(
    items: list[Item], low: int, high: int, sorted_length: int, less_than: LessThan[Item]
) -> None:
    """Sorts items[LOW:HIGH], of which the first SORTED_LENGTH are in order already."""
    for position in range(low + sorted_length, high):
        pivot = items[position]
        left, right = low, position
        while left < right:
            middle = (left + right) >> 1
            if less_than(pivot, items[middle]):
                right = middle
            else:
                left = middle + 1
        del items[position]
        items.insert(left, pivot)


def _gallop_left(key: Item, items: list[Item], hint: int, less_than: LessThan[Item]) -> int:
    """The index k with items[k-1] < key <= items[k], searched exponentially from HINT."""
    last, offset = 0, 1
    if less_than(items[hint], key):
        limit = len(items) - hint
        while offset < limit and less_than(items[hint + offset], key):
            last, offset = offset, (offset << 1) + 1
        offset = min(offset, limit)
        last, offset = last + hint, offset + hint
    else:
        limit = hint + 1
        while offset < limit and not less_than(items[hint - offset], key):
            last, offset = offset, (offset << 1) + 1
        offset = min(offset, limit)
        last, offset = hint - offset, hint - last
    last += 1
    while last < offset:
        middle = last + ((offset - last) >> 1)
        if less_than(items[middle], key):
            last = middle + 1
        else:
            offset = middle
    return offset


def _gallop_right(key: Item, items: list[Item], hint: int, less_than: LessThan[Item]) -> int:
    """The index k with items[k-1] <= key < items[k], searched exponentially from HINT."""
    last, offset = 0, 1
    if less_than(key, items[hint]):
        limit = hint + 1
        while offset < limit and less_than(key, items[hint - offset]):
            last, offset = offset, (offset << 1) + 1
        offset = min(offset, limit)
        last, offset = hint - offset, hint - last
    else:
        limit = len(items) - hint
        while offset < limit and not less_than(key, items[hint + offset]):
            last, offset = offset, (offset << 1) + 1
        offset = min(offset, limit)
        last, offset = last + hint, offset + hint
    last += 1
    while last < offset:
        middle = last + ((offset - last) >> 1)
        if less_than(key, items[middle]):
            offset = middle
        else:
            last = middle + 1
    return offset


def _merge_power(start: int, length: int, next_length: int, total: int) -> int:
    """Depth of the boundary between two adjacent runs in the ideal merge tree."""
    left = 2 * start + length
    right = left + length + next_length
    power = 0
    while True:
        power += 1
        if left >= total:
            left -= total
            right -= total
        elif right >= total:
            return power
        left <<= 1
        right <<= 1


class _MergeSort(Generic[Item]):
    """The algorithm for long lists; keeps the pending runs and the gallop threshold."""

    def __init__(self, items: list[Item], less_than: LessThan[Item]) -> None:
        self.items = items
        self.less_than = less_than
        self.min_gallop = _MIN_GALLOP
        self.runs: list[list[int]] = []  # [start, length, power]

    def sort(self) -> None:
        total = len(self.items)
        minimum = _minimum_run(total)
        low = 0
        while low < total:
            length = _count_run(self.items, low, total, self.less_than)
            if length < minimum:
                forced = min(minimum, total - low)
                _binary_insertion(self.items, low, low + forced, length, self.less_than)
                length = forced
            self._push(low, length, total)
            low += length
        while len(self.runs) > 1:
            index = len(self.runs) - 2
            if index > 0 and self.runs[index - 1][1] < self.runs[index + 1][1]:
                index -= 1
            self._merge_at(index)

    def _push(self, start: int, length: int, total: int) -> None:
        if self.runs:
            top = self.runs[-1]
            power = _merge_power(top[0], top[1], length, total)
            while len(self.runs) > 1 and self.runs[-2][2] > power:
                self._merge_at(len(self.runs) - 2)
            self.runs[-1][2] = power
        self.runs.append([start, length, 0])

    def _merge_at(self, index: int) -> None:
        start, length, power = self.runs[index]
        next_length = self.runs[index + 1][1]
        self.runs[index] = [start, length + next_length, power]
        del self.runs[index + 1]
        left = self.items[start : start + length]
        right = self.items[start + length : start + length + next_length]
        skip = _gallop_right(right[0], left, 0, self.less_than)
        left = left[skip:]
        if not left:
            return
        keep = _gallop_left(left[-1], right, len(right) - 1, self.less_than)
        right = right[:keep]
        if not right:
            return
        merged = self._merge_low(left, right) if len(left) <= len(right) else self._merge_high(left, right)
        self.items[start + skip : start + skip + len(merged)] = merged

    def _merge_low(self, left: list[Item], right: list[Item]) -> list[Item]:  # noqa: C901 - one algorithm, as specified
        """Merges from the left end; the rest of the run that is left over goes last."""
        less_than = self.less_than
        out = [right[0]]
        i, j = 0, 1  # next of left, next of right
        if j == len(right):
            return out + left
        if len(left) == 1:
            return out + right[j:] + left
        gallop = self.min_gallop
        while True:
            left_wins = right_wins = 0
            while True:
                if less_than(right[j], left[i]):
                    out.append(right[j])
                    j += 1
                    right_wins, left_wins = right_wins + 1, 0
                    if j == len(right):
                        return out + left[i:]
                    if right_wins >= gallop:
                        break
                else:
                    out.append(left[i])
                    i += 1
                    left_wins, right_wins = left_wins + 1, 0
                    if len(left) - i == 1:
                        return out + right[j:] + left[i:]
                    if left_wins >= gallop:
                        break
            gallop += 1
            while True:
                gallop -= gallop > 1
                self.min_gallop = gallop
                taken = _gallop_right(right[j], left[i:], 0, less_than)
                out += left[i : i + taken]
                i += taken
                if len(left) - i == 1:
                    return out + right[j:] + left[i:]
                if i == len(left):
                    return out + right[j:]
                out.append(right[j])
                j += 1
                if j == len(right):
                    return out + left[i:]
                taken_right = _gallop_left(left[i], right[j:], 0, less_than)
                out += right[j : j + taken_right]
                j += taken_right
                if j == len(right):
                    return out + left[i:]
                out.append(left[i])
                i += 1
                if len(left) - i == 1:
                    return out + right[j:] + left[i:]
                if taken < _MIN_GALLOP and taken_right < _MIN_GALLOP:
                    break
            gallop += 1
            self.min_gallop = gallop

    def _merge_high(self, left: list[Item], right: list[Item]) -> list[Item]:  # noqa: C901 - one algorithm, as specified
        """Merges from the right end, the mirror image of _merge_low."""
        less_than = self.less_than
        out = [left[-1]]  # reversed: the largest comes first
        i, j = len(left) - 1, len(right)  # items left over in each: left[:i], right[:j]

        def finish(head: list[Item]) -> list[Item]:
            return head + out[::-1]

        if i == 0:
            return finish(right[:j])
        if j == 1:
            return finish(right[:1] + left[:i])
        gallop = self.min_gallop
        while True:
            left_wins = right_wins = 0
            while True:
                if less_than(right[j - 1], left[i - 1]):
                    i -= 1
                    out.append(left[i])
                    left_wins, right_wins = left_wins + 1, 0
                    if i == 0:
                        return finish(right[:j])
                    if left_wins >= gallop:
                        break
                else:
                    j -= 1
                    out.append(right[j])
                    right_wins, left_wins = right_wins + 1, 0
                    if j == 1:
                        return finish(right[:1] + left[:i])
                    if right_wins >= gallop:
                        break
            gallop += 1
            while True:
                gallop -= gallop > 1
                self.min_gallop = gallop
                taken = i - _gallop_right(right[j - 1], left[:i], i - 1, less_than)
                out += left[i - taken : i][::-1]
                i -= taken
                if i == 0:
                    return finish(right[:j])
                j -= 1
                out.append(right[j])
                if j == 1:
                    return finish(right[:1] + left[:i])
                taken_right = j - _gallop_left(left[i - 1], right[:j], j - 1, less_than)
                out += right[j - taken_right : j][::-1]
                j -= taken_right
                if j == 1:
                    return finish(right[:1] + left[:i])
                if j == 0:
                    return finish(left[:i])
                i -= 1
                out.append(left[i])
                if i == 0:
                    return finish(right[:j])
                if taken < _MIN_GALLOP and taken_right < _MIN_GALLOP:
                    break
            gallop += 1
            self.min_gallop = gallop


def _minimum_run(total: int) -> int:
    """The shortest run that is pushed, so that TOTAL / run is close to a power of two."""
    dropped = 0
    while total >= _SHORT:
        dropped |= total & 1
        total >>= 1
    return total + dropped
