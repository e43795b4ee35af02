"""What plugins ask for while they stage: artifacts of dependencies, integration commands, manifests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._load.resolved import ResolvedElement
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView
from .._requests import SplitSelection, StagingOptions
from .announcer import Announcer
from .publicdata import RuntimePublicData

if TYPE_CHECKING:
    from .._store.cas import Cas
    from ..sandbox import Sandbox
    from ..utils import FileListResult
    from .staging import OverlapCollector


class ArtifactStaging:
    """Stages cached artifacts into sandboxes that are open for it.

    Args:
        announcer: Tells what is staged.
        public: Says which commands integrate an element, and how its files are split.
        cas: The content store, opened when it is first needed.
    """

    def __init__(self, announcer: Announcer, public: RuntimePublicData, cas: "Callable[[], Cas]") -> None:
        self._announcer = announcer
        self._public = public
        self._open_cas = cas
        self._collectors: dict[int, OverlapCollector] = {}  # by identity of the sandbox

    def artifact(self, element: ResolvedElement) -> ArtifactView:
        """The cached artifact of ELEMENT.

        Raises:
            ElementError: There is none.
        """
        artifact = self._announcer.record(element).artifact
        if artifact is None:
            from ..element import ElementError

            raise ElementError(
                "No artifacts to stage",
                detail="No artifacts have been cached yet for that element\n"
                "Try building the element first with `bst build`",
                reason="uncached-checkout-attempt",
            )
        return artifact

    @contextmanager
    def opened(self, sandbox: "Sandbox") -> Iterator[None]:
        """The block in which artifacts may be staged into SANDBOX."""
        from .._store.cas_directory import CasDirectory
        from .staging import OverlapCollector

        def root() -> CasDirectory:
            directory = sandbox.get_virtual_directory()
            assert isinstance(directory, CasDirectory)
            return directory

        self._collectors[id(sandbox)] = OverlapCollector(
            self._open_cas(), root, lambda element: self._public.domain(element, "bst")
        )
        try:
            yield
        finally:
            del self._collectors[id(sandbox)]

    def stage(
        self,
        owner: ResolvedElement,
        elements: Sequence[ResolvedElement],
        sandbox: "Sandbox",
        options: StagingOptions,
    ) -> "FileListResult":
        """Stages the artifacts of ELEMENTS in order; see `_load.services.Services.stage_artifacts`."""
        from .staging import StagingRequest

        collector = self._collectors.get(id(sandbox))
        assert collector is not None, "Attempted to stage artifacts outside of Element.stage()"
        requests = [
            StagingRequest(element, self.artifact(element), self._public.split_filter(element, options.files))
            for element in elements
        ]
        return collector.stage(
            owner, requests, path=options.path, action=options.action, announce=self._announce
        )

    def _announce(self, element: ResolvedElement) -> None:
        label = self._announcer.record(element).label
        messenger = self._announcer.messenger
        text = f"Staging {element.name}/{messenger.brief(label.key)}"
        messenger.send(MessageType.STATUS, text, element=label)

    def manifest(self, element: ResolvedElement, files: SplitSelection) -> Iterator[str]:
        """Paths of an artifact that split rules select."""
        from .._store.cas_directory import CasDirectory

        artifact = self.artifact(element)
        if artifact.files is None:
            return
        is_selected = self._public.split_filter(element, files)
        for path in CasDirectory(self._open_cas(), artifact.files).list_relative_paths():
            if is_selected is None or is_selected(path):
                yield path

    def integrate(self, element: ResolvedElement, sandbox: "Sandbox") -> None:
        """Runs the integration commands of ELEMENT as one batch."""
        commands = self._public.integration_commands(element)
        if not commands:
            return
        with sandbox.batch():
            for command in commands:
                sandbox.run(
                    ["sh", "-e", "-c", command], env=dict(element.environment), cwd="/", label=command
                )
