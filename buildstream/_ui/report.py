"""Pieces of the heading and the summary: titles, and blocks of aligned labels."""

from collections.abc import Sequence

from .style import LABEL, TITLE, VALUE, Paint, Profile


def render_title(title: str, paint: Paint) -> str:
    """A section title on a line of its own."""
    return paint(f"{title}\n", TITLE)


def render_block(
    rows: Sequence[tuple[str, str]], paint: Paint, *, columns: int = 4, label_profile: Profile = LABEL
) -> str:
    """Labels and values, one pair a line, values aligned after the longest label."""
    return "".join(
        [
            f"{label_text}{paint(value, VALUE)}\n"
            for label_text, value in zip(
                render_labels([label for label, _ in rows], paint, columns, label_profile),
                [value for _, value in rows],
                strict=True,
            )
        ]
    )


def render_labels(
    labels: Sequence[str], paint: Paint, columns: int = 4, profile: Profile = LABEL
) -> list[str]:
    """The labels with their colons, all of one width."""
    width = max(map(len, labels), default=0)
    margin = " " * columns
    return [
        f"{margin}{paint(label, profile)}{paint(':', LABEL)}{' ' * (width - len(label) + 1)}"
        for label in labels
    ]
