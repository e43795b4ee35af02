"""Values and a clock that several tests of the front end use."""

from buildstream._model.elementrow import DisplayState, ElementView
from buildstream._model.message import ElementLabel

BROKEN_KEY = "fd91d933cbea5c1bc670eacbb92457422d8446a92005946e44a1ef8f798b9f5a"
BASE_KEY = "2e43b99f73bb4efd39d02cac4802e055e251770af09b742d652a0de514099760"
UNKNOWN_KEY = "?" * 64
STARTED_S = 1795378312.0  # Sunday, 22-11-2026 at 20:11:52 UTC

BROKEN = ElementLabel("broken.bst", BROKEN_KEY, is_strict=True)
BASE = ElementLabel("base.bst", BASE_KEY, is_strict=True)


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = STARTED_S

    def __call__(self) -> float:
        return self.now_s


def make_view(
    label: ElementLabel, state: DisplayState = DisplayState.WAITING, *, description: str = ""
) -> ElementView:
    """A view of the element that LABEL names."""
    return ElementView(
        name=label.full_name,
        kind="manual",
        label=lambda: label,
        state=lambda: state,
        description=description,
    )
