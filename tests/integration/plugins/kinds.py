"""The elements that are compared: one a kind of the two plugin packages, as far as that goes offline."""

from dataclasses import dataclass

_LOCAL = "sources:\n- {kind: local, path: files/code}\n"
_BUILT = f"build-depends: [tools.bst]\n{_LOCAL}"
_WITH_INPUT = "build-depends:\n- tools.bst\n- filename: one.bst\n  config: {input: True}\n"
_ON_FILES = "build-depends: [one.bst]\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One element.

    Attributes:
        name: Of the element, without suffix.
        yaml: Its content.
        is_source: Whether a source kind is meant; then it is tracked, if it has no ref.
        host_tool: What the plugin runs on the host, None for nothing.
        note: Shown in the table.
    """

    name: str
    yaml: str
    is_source: bool = False
    host_tool: str | None = None
    note: str = ""


def _source(name: str, *sources: str, tool: str | None = None, note: str = "") -> Case:
    text = "".join(f"- {source}\n" for source in sources)
    return Case(name, f"kind: import\nsources:\n{text}", is_source=True, host_tool=tool, note=note)


_CODE = "{kind: local, path: files/code}"
_STAND_IN = "tools are stand-ins that write down how they are called"

ELEMENTS = (
    *(
        Case(kind, f"kind: {kind}\n{_BUILT}", note=_STAND_IN)
        for kind in (
            *("autotools", "cmake", "make", "meson", "pip", "setuptools"),
            *("bazel_build", "cargo", "makemaker", "modulebuild", "pyproject", "qmake"),
        )
    ),
    Case("cmake-ninja", f"kind: cmake\n{_BUILT}variables: {{generator: Ninja}}\n", note=_STAND_IN),
    Case("check_forbidden", f"kind: check_forbidden\n{_ON_FILES}config: {{forbidden: [z.bst]}}\n"),
    Case("collect_integration", f"kind: collect_integration\n{_ON_FILES}config: {{script-path: /x/y.sh}}\n"),
    Case("collect_manifest", f"kind: collect_manifest\n{_ON_FILES}config: {{path: /m/manifest.json}}\n"),
    Case("bazelize", f"kind: bazelize\n{_ON_FILES}"),
    Case("dpkg_build", f"kind: dpkg_build\n{_BUILT}", note=_STAND_IN),
    Case(
        "flatpak_image",
        f'kind: flatpak_image\n{_ON_FILES}config:\n  directory: "%{{prefix}}"\n'
        "  metadata: {Runtime: {name: org.x}}\n",
    ),
    Case(
        "flatpak_repo",
        "kind: flatpak_repo\nvariables: {arch: x86_64, branch: b}\nbuild-depends:\n- tools.bst\n"
        "- filename: flatpak_image.bst\n  config: {flatpak-image: True}\n",
        note=_STAND_IN,
    ),
    Case(
        "snap_image",
        f"kind: snap_image\n{_ON_FILES}config: {{directory: /, metadata: {{name: hello, version: '1'}}}}\n",
    ),
    Case("tar_element", f"kind: tar_element\n{_ON_FILES}config: {{filename: foo, compression: none}}\n"),
    Case("x86image", f"kind: x86image\n{_WITH_INPUT}", note=_STAND_IN),
    Case("dpkg_deploy", f"kind: dpkg_deploy\n{_WITH_INPUT.replace('one', 'dpkg_build')}", note=_STAND_IN),
    Case(
        "oci",
        f"kind: oci\n{_ON_FILES}config: {{images: [{{os: linux, architecture: amd64}}]}}\n",
        note="fails in BuildStream 2.8",
    ),
    Case("fastboot_bootimg", f"kind: fastboot_bootimg\n{_ON_FILES}", note="does not load in BuildStream 2.8"),
)

_GIT = "kind: git, url: 'up:main'"
SOURCES = (
    _source("git", f"{{{_GIT}, track: main}}", tool="git"),
    _source("git-branch", f"{{{_GIT}, track: stable, checkout-submodules: False}}", tool="git"),
    _source("git-tags", f"{{{_GIT}, track: main, track-tags: True, directory: sub}}", tool="git"),
    _source("git-describe", f"{{{_GIT}, track: main, ref-format: git-describe}}", tool="git"),
    _source(
        "git-two",
        f"{{{_GIT}, track: main}}",
        "{kind: git, url: 'up:plain', track: v2.0, directory: p}",
        tool="git",
    ),
    _source("git_tag", "{kind: git_tag, url: 'up:plain', track: main, track-tags: True}", tool="git"),
    _source("git_repo", "{kind: git_repo, url: 'served:plain', track: 'v*'}"),
    _source("git_repo-branch", "{kind: git_repo, url: 'served:plain', track: main}"),
    _source(
        "git_module",
        "{kind: git_repo, url: 'served:main', track: 'v*'}",
        "{kind: git_module, url: 'served:library', path: libs/library}",
    ),
    _source("patch", _CODE, "{kind: patch, path: files/one.patch}", tool="patch"),
    _source("patch-strip", _CODE, "{kind: patch, path: files/zero.patch, strip-level: 0}", tool="patch"),
    _source("patch_queue", _CODE, "{kind: patch_queue, path: files/queue}", tool="git"),
    _source("quilt", "{kind: local, path: files/quilted}", "{kind: quilt}", tool="quilt"),
    _source("zip", "{kind: zip, url: 'up:hello.zip'}"),
    _source("zip-base", "{kind: zip, url: 'up:hello.zip', base-dir: ''}"),
    _source("deb", "{kind: deb, url: 'up:hello.deb'}", note="with the package arpy"),
    _source("tar", "{kind: tar, url: 'up:hello-1.0.tar.gz'}"),
    _source("remote", "{kind: remote, url: 'up:file.bin', executable: True}"),
    _source("source-cargo", _CODE, "{kind: cargo, url: 'up:crates'}"),
    _source("cargo2", _CODE, "{kind: cargo2}"),
    _source("source-pip", _CODE, "{kind: pip, url: '@WEB@/simple', packages: [hello]}"),
    _source("pypi", "{kind: pypi, name: hello}", note="stand-in for the index"),
    _source("cpan", "{kind: cpan, name: Hello, index: '@WEB@/cpan/'}"),
    _source("gnu", "{kind: gnu, name: hello}", note="the package's own fault, in both"),
    _source("docker", "{kind: docker, image: hello, registry-url: '@WEB@', track: latest}"),
    _source("bzr", "{kind: bzr, url: 'up:', track: bzr}", tool="bzr"),
    _source("ostree", "{kind: ostree, url: 'up:ostree', track: main}", tool="ostree"),
    _source("bazel_file", "{kind: bazel_file, url: 'web:file.bin'}"),
    _source("bazel_source", _CODE, "{kind: bazel_source}", tool="bazel"),
    _source("gen_cargo_lock", "{kind: local, path: files/crate}", "{kind: gen_cargo_lock}", tool="cargo"),
    _source("go_module", "{kind: go_module, url: 'up:x'}", note="not an entry point of the package"),
)

PLUGINS = """\
plugins:
- origin: pip
  package-name: buildstream-plugins
  elements: [autotools, cmake, make, meson, pip, setuptools]
  sources: [bzr, cargo, docker, git, patch, pip]
- origin: pip
  package-name: buildstream-plugins-community
  elements: [bazel_build, bazelize, cargo, check_forbidden, collect_integration, collect_manifest,
    dpkg_build, dpkg_deploy, fastboot_bootimg, flatpak_image, flatpak_repo, makemaker, modulebuild,
    oci, pyproject, qmake, snap_image, tar_element, x86image]
  sources: [git_repo, git_module, git_tag, cargo2, cpan, pypi, gnu, bazel_file, bazel_source, deb, zip,
    gen_cargo_lock, ostree, patch_queue, quilt, go_module]
"""
