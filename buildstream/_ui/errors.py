"""The last words of a command that failed."""

from .._exceptions import BstError
from .._tasklog import indent_lines


def render_error(error: BstError, *, prefix: str = "", debug: bool = False) -> str:
    """An empty line, the message, and the detail if there is one; with DEBUG the traceback as message.

    PREFIX tells what was being done, e.g. "Error loading project".
    """
    message = str(error)
    if debug:
        import traceback

        message = "\n\n" + "".join(traceback.format_exception(error))
    elif prefix:
        message = f"{prefix}: {message}"
    text = f"\n{message}\n"
    if error.detail:
        text += f"\n{indent_lines(error.detail)}\n"
    return text
