"""The links of a project and of its subprojects that have been met so far (format 7.7)."""


class LinkTable:
    """From the path of each link to the path of its target, both as seen from one project."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}

    def record(self, path: str, target: str) -> None:
        """Notes that the link PATH leads to TARGET; links that lead to PATH lead to TARGET as well."""
        for other, its_target in self._targets.items():
            if self.expand(its_target) == path:
                self._targets[other] = target
        self._targets[path] = target

    def expand(self, path: str) -> str:
        """PATH with the first link that it begins with replaced by its target, once."""
        for link, target in self._targets.items():
            if path.startswith(link):
                return target + path[len(link) :]
        return path
