"""`bst cache check`: whether everything in the local cache is what it should be."""

from .._act.retention import record_sets
from .._model.cachestate import CheckReport
from .app import App
from .cleaning import source_record_sets


def check_cache(app: App, *, repairs: bool) -> CheckReport:
    """Hashes every object, and looks whether records and extracted trees are complete.

    Args:
        repairs: Whether what is wrong is put aside, so that it is fetched or built again.
    """
    sets = record_sets(app.artifacts, source_record_sets(app), cache_directory=app.paths.cache)
    check = app.cas.check(repairs=repairs)
    with app.messenger.simple_task("Checking objects") as task:
        check.objects(task.advance)
    app.cas.forget_presence()
    with app.messenger.simple_task("Checking artifacts and sources") as task:
        check.records(sets, task.advance)
    with app.messenger.simple_task("Checking extracted trees") as task:
        check.trees(task.advance)
    return check.report
