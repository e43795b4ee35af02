"""Shell scripts that build checked out sources where there is no BuildStream."""

import shlex
from collections.abc import Mapping, Sequence

MAIN_SCRIPT = "build.sh"


def script_name(element_name: str) -> str:
    """The name of the script of the element with this normal name."""
    return f"build-{element_name}"


def build_script(
    element_name: str,
    *,
    build_root: str,
    install_root: str,
    environment: Mapping[str, str],
    commands: str,
) -> str:
    """A script that builds one element and copies what it installs over the root.

    Args:
        element_name: Its normal name; the sources are in the directory of this name below $SRCDIR.
        build_root: Where the commands are run.
        install_root: Where they install to.
        environment: What they are run with.
        commands: Shell text that runs them, from `Element.generate_script()`.
    """
    build, install = shlex.quote(build_root), shlex.quote(install_root)
    exports = " ".join([f"{name}={shlex.quote(value)}" for name, value in environment.items()])
    return f"""#!/bin/sh
# Builds {element_name} from $SRCDIR/{element_name} and installs it.
set -e

rm -rf {build} {install}
mkdir -p {build} {install}
if [ -d "$SRCDIR/{element_name}" ]; then
    cp -a "$SRCDIR/{element_name}/." {build}
fi
cd {build}

export PREFIX={install}
export {exports}

{commands}
rm -rf {build}
cd {install}
find . | cpio -umdp /
"""


def main_script(project_name: str, element_names: Sequence[str]) -> str:
    """A script that runs those of the elements, by normal names in build order, up to the first failure."""
    names = " ".join([shlex.quote(name) for name in element_names])
    return f"""#!/bin/sh
# Builds everything that was checked out of the project {project_name}.
set -eu

PATH=/usr/bin:/usr/sbin:/bin:/sbin:/tools/bin:/tools/sbin
export PATH
SRCDIR=$(cd "$(dirname "$0")" && pwd)
export SRCDIR
module=none
trap 'status=$?; [ "$status" = 0 ] || echo "Building $module has failed" >&2' EXIT

for module in {names}; do
    if [ -x "$SRCDIR/build-$module" ]; then
        "$SRCDIR/build-$module"
    fi
    if [ -x /sbin/ldconfig ]; then
        /sbin/ldconfig || true
    fi
done
"""
