"""Elements that stand for the sources of another one, such as filters (plugin-api 8.15)."""

from .._load.resolved import ResolvedElement
from .._model.message import MessageType
from .app import App
from .loading import LoadedTargets


def source_element(app: App, loaded: LoadedTargets, target: ResolvedElement) -> ResolvedElement:
    """The element whose sources TARGET stands for."""
    plugin = target.plugin._get_source_element()
    if plugin is target.plugin:
        return target
    element = next(element for element in loaded.pipeline.elements if element.plugin is plugin)
    app.messenger.send(MessageType.INFO, f"Element '{target.full_name}' redirected to '{element.full_name}'")
    return element
