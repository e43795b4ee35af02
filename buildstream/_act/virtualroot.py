"""Staging artifacts outside of a build: for check-outs and shells."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._load.resolved import ResolvedElement
from .._requests import StagingOptions
from .services import EngineServices

if TYPE_CHECKING:
    from .._sandbox.local import LocalSandbox


@contextmanager
def staged_sandbox(
    services: EngineServices,
    target: ResolvedElement,
    elements: Sequence[ResolvedElement],
    *,
    integrates: bool,
) -> "Iterator[LocalSandbox]":
    """A sandbox with the artifacts of ELEMENTS staged at its root, in order.

    Args:
        target: Whose sandbox configuration and environment are used.
        integrates: Whether the integration commands of ELEMENTS are run.

    Raises:
        ElementError: `uncached-checkout-attempt`, an element is not cached.
    """
    with services.sandbox(target) as sandbox:
        sandbox.set_environment(dict(target.environment))
        staging = services.activity(
            target, target.full_name, "Staging dependencies", detail=None, silent_nested=True
        )
        with staging, services.staging(sandbox):
            services.stage_artifacts(target, elements, sandbox, StagingOptions())
        if integrates:
            integration = services.activity(
                target, target.full_name, "Integrating sandbox", detail=None, silent_nested=False
            )
            with integration, sandbox.batch():
                for element in elements:
                    services.integrate(element, sandbox)
        yield sandbox
