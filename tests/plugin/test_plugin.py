"""What the base classes of plugins do themselves."""

import sys
from typing import Any

import pytest

from buildstream import (
    CoreWarnings,
    Element,
    Source,
    SourceFetcher,
    SourceMirror,
    utils,
)
from buildstream._element_proxy import ElementProxy, PluginProxyError
from buildstream._exceptions import ImplError, LoadError, PluginError
from buildstream._model.message import MessageType
from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode
from buildstream.plugins.sourcemirrors.default import DefaultSourceMirror
from buildstream.source import AliasSubstitution


class Mirror(SourceMirror):
    """Serves the alias `known`."""

    def configure(self, node: MappingNode) -> None:
        self.set_supported_aliases(["known"])

    def translate_url(
        self, *, alias: str, alias_url: str, source_url: str, extra_data: dict[str, Any] | None
    ) -> str:
        if extra_data is not None:
            extra_data["http-auth"] = "bearer"
        return f"http://mirror/{alias}/{alias_url}/{source_url}"


def test_names_and_texts(host: Any) -> None:
    element = Element(host, "dir/sub/foo.bar.bst")
    assert (element.name, element.normal_name, element.project_name) == (
        "dir/sub/foo.bar.bst",
        "dir-sub-foo.bar",
        "test",
    )
    assert element.get_kind() == "element"
    assert str(element) == f"element element at {host.provenance}"
    assert str(Source(host, "x-0")).startswith("source source at ")
    assert str(Mirror(host, "x")).startswith("test_plugin source-mirror at ")
    assert Element(host, "a.bst") < Element(host, "b.bst")


def test_missing_methods_are_named(host: Any) -> None:
    with pytest.raises(ImplError, match=r"element plugin 'element' does not implement assemble\(\)"):
        Element(host, "a.bst").assemble(None)  # type: ignore[arg-type]
    with pytest.raises(ImplError, match=r"Source plugin 'source' does not implement fetch\(\)"):
        Source(host, "a.bst-0").fetch()
    with pytest.raises(ImplError, match=r"SourceFetcher '.*SourceFetcher'>' does not implement fetch\(\)"):
        SourceFetcher().fetch()


def test_warnings_have_tokens_that_projects_can_make_fatal(host: Any) -> None:
    element = Element(host, "a.bst")
    host.project.fatal_warnings = ["element:own", "overlaps"]
    element.warn("Careful", detail="Why", warning_token="other")
    element.warn("Careful")
    assert [(brief, detail) for _, brief, detail in host.messages] == [
        ("[element:other]: Careful", "Why"),
        ("Careful", None),
    ]
    for token, reason in (("own", "element:own"), (CoreWarnings.OVERLAPS, "overlaps")):
        with pytest.raises(PluginError) as caught:
            element.warn("Careful", detail="Why", warning_token=token)
        assert caught.value.reason == reason
        assert str(caught.value) == f"[{reason}]: Careful\nWhy"


def test_host_commands(host: Any) -> None:
    element = Element(host, "a.bst")
    assert element.check_output([sys.executable, "-c", "print('text')"]) == (0, "text\n")
    assert host.messages == [
        (MessageType.STATUS, "Running host command", f"{sys.executable} -c print('text')")
    ]
    assert element.call(["sh", "-c", "exit 3"]) == 3
    with pytest.raises(PluginError) as caught:
        element.call(["sh", "-c", "exit 3"], fail="It failed", fail_temporarily=True)
    assert str(caught.value) == f"{element}: It failed"
    assert caught.value.temporary


def test_blocking_activities_report_what_went_wrong(host: Any) -> None:
    element = Element(host, "a.bst")
    assert element.blocking_activity(divmod, (7, 2), "Dividing") == (3, 1)
    with pytest.raises(PluginError) as caught:
        element.blocking_activity(divmod, (7, 0), "Dividing")
    assert "ZeroDivisionError" in (caught.value.detail or "")


def test_proxies_give_the_documented_interface_only(host: Any) -> None:
    element, owner = Element(host, "dep.bst"), Element(host, "owner.bst")
    host.variables["v"] = "value"
    proxy: Any = ElementProxy(owner, element)
    assert (proxy.name, proxy.normal_name, proxy.project_name) == ("dep.bst", "dep", "test")
    assert proxy.get_variable("v") == "value"
    assert proxy < owner
    assert owner > proxy
    for name in ("configure", "assemble", "set_public_data", "BST_FORBID_SOURCES", "_get_provenance"):
        with pytest.raises(PluginProxyError):
            getattr(proxy, name)
    assert not hasattr(proxy, "no_such_attribute")


def test_deprecated_node_functions_still_work(host: Any) -> None:
    node = MappingNode.from_dict({"text": "x", "list": ["y"]})
    element = Element(host, "a.bst")
    with pytest.warns(DeprecationWarning, match="node_subst_vars"):
        assert element.node_subst_vars(node.get_scalar("text")) == "x"
    with pytest.warns(DeprecationWarning, match="node_subst_sequence_vars"):
        assert element.node_subst_sequence_vars(node.get_sequence("list")) == ["y"]


def test_mirrors_declare_their_aliases_while_they_are_configured(host: Any) -> None:
    mirror = Mirror(host, "mirror")
    with pytest.raises(AssertionError):
        mirror.set_supported_aliases(["early"])
    with pytest.raises(AssertionError):
        mirror._get_alias_uris("known")
    mirror._configure(MappingNode.from_dict({}))
    assert mirror._get_alias_uris("known") == (mirror,)
    assert mirror._get_alias_uris("unknown") == ()


def test_the_default_mirror_gives_prefixes(host: Any) -> None:
    mirror = DefaultSourceMirror(host, "mirror")
    mirror._configure(MappingNode.from_dict({"name": "m", "aliases": {"a": ["http://1/", "http://2/"]}}))
    assert mirror._get_alias_uris("a") == ["http://1/", "http://2/"]
    assert mirror._get_alias_uris("b") == []
    with pytest.raises(LoadError):
        mirror._configure(MappingNode.from_dict({"name": "m", "aliases": {"a": "http://1/"}}))


def test_substitutions(host: Any) -> None:
    assert AliasSubstitution("http://x/").translate("file", None) == "http://x/file"
    hints: dict[str, Any] = {}
    substitution = AliasSubstitution(Mirror(host, "mirror"), "theirs", "ours:")
    assert substitution.translate("file", hints) == "http://mirror/theirs/ours:/file"
    assert hints == {"http-auth": "bearer"}


@pytest.mark.parametrize(
    ("url", "alias"),
    [("up:x", "up"), ("HTTPS://x", None), ("ssh://x", None), ("path", None), ("s3://x", "s3")],
)
def test_fetchers_know_the_alias_of_their_url(url: str, alias: str | None) -> None:
    fetcher = SourceFetcher()
    fetcher.mark_download_url(url)
    assert fetcher._get_alias() == alias


def test_provenance_attributes_are_checked(host: Any) -> None:
    source = Source(host, "a.bst-0")
    with pytest.raises(LoadError) as caught:
        source.create_source_info(
            "u", "medium", "type", "1", provenance_node=MappingNode.from_dict({"colour": "blue"})
        )
    assert caught.value.reason is LoadErrorReason.UNDEFINED_SOURCE_PROVENANCE_ATTRIBUTE
    node = MappingNode.from_dict({"issue-tracker": "http://bugs"})
    info = source.create_source_info("u", "medium", "type", "1", provenance_node=node, extra_data={"k": "v"})
    assert (info.issue_tracker, info.homepage, info.serialize()["extra-data"]) == (
        "http://bugs",
        None,
        {"k": "v"},
    )


def test_sources_without_fetchers_can_not_tell_where_they_come_from(host: Any) -> None:
    assert Source(host, "a.bst-0").collect_source_info() is None
    assert host.messages[0][1].startswith("[unavailable-source-info]: ")


def test_tempdir_is_inside_the_mirror_directory(host: Any) -> None:
    with Source(host, "a.bst-0").tempdir() as directory:
        assert directory.startswith(host.mirror_directory + "/")
    assert list(utils.list_relative_paths(host.mirror_directory)) == []
