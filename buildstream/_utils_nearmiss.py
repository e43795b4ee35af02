"""Guessing which word was meant by one that is not known."""

from collections.abc import Iterable

_CUTOFF = 0.6  # ratio of difflib below which two words have nothing to do with each other


def nearest_word(word: str, known: Iterable[str], *, cutoff: float = _CUTOFF) -> str | None:
    """The one of KNOWN that resembles WORD most; None if none does.

    Cost: O(all characters of KNOWN times those of WORD); for error messages only.
    """
    words = sorted(known)
    if not words:
        return None
    from difflib import get_close_matches

    matches = get_close_matches(word, words, n=1, cutoff=cutoff)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = _CUTOFF) -> str | None:
    """A question fit for the detail of an error about WORD, None if nothing resembles it."""
    nearest = nearest_word(word, known, cutoff=cutoff)
    return f"Did you mean '{nearest}'?" if nearest is not None else None
