"""Regenerates the Python modules from the `.proto` files: `python -m buildstream._protos.generate`.

Needs grpcio-tools and mypy-protobuf, which the program itself does not.  The
`.proto` files are compiled under their full paths `buildstream/_protos/...`,
so that the generated imports work as they are.  The output is then changed:

* messages go into the pool of `pool.py` instead of the default one;
* the checks that refuse to run with libraries older than the compiler are
  taken out: the generated code works with every version that the package
  requires, and so are the experimental functions that duplicate the stubs.
"""

import re
import subprocess
import sys
from pathlib import Path

_MESSAGE_CHANGES = (
    (r"(?m)^from google\.protobuf import runtime_version as _runtime_version\n", ""),
    (r"_runtime_version\.ValidateProtobufRuntimeVersion\([^)]*\)\n", ""),
    (r"(?m)^from google\.protobuf import descriptor_pool as _descriptor_pool\n", ""),
    (r"(?m)^# Protobuf Python Version: .*\n", ""),
    (
        r"(?m)^(from google\.protobuf\.internal import builder .*\n)",
        r"\1from buildstream._protos.pool import POOL\n",
    ),
    (r"_descriptor_pool\.Default\(\)", "POOL"),
)

_SERVICE_CHANGES = (
    (r"(?s)GRPC_GENERATED_VERSION = .*?    \)\n", ""),
    (r"(?m)^import warnings\n", ""),
    (r",\n *_registered_method=True\)", ")"),
    (r"(?m)^ *server\.add_registered_method_handlers\(.*\n", ""),
    (r"(?s) # This class is part of an EXPERIMENTAL API\.\n.*?(?=\n\n\nclass |\Z)", ""),
)

_SERVICE_STUB_CHANGES = ((r"(?m)^GRPC_(GENERATED_)?VERSION: str\n", ""),)


def main() -> None:
    """Compiles every `.proto` file beside this one."""
    package = Path(__file__).resolve().parent
    root = package.parent.parent
    sources = [str(path.relative_to(root)) for path in sorted(package.rglob("*.proto"))]
    with_services = [path for path in sources if "\nservice " in (root / path).read_text()]
    _compile(root, ["--python_out=.", "--pyi_out=."], sources)
    _compile(root, ["--grpc_python_out=.", "--mypy_grpc_out=."], with_services)
    for path in package.rglob("*_pb2.py"):
        _change(path, _MESSAGE_CHANGES)
    for path in package.rglob("*_pb2_grpc.py"):
        _change(path, _SERVICE_CHANGES)
    for path in package.rglob("*_pb2_grpc.pyi"):
        _change(path, _SERVICE_STUB_CHANGES)
    for path in package.rglob("*.proto"):
        for directory in path.relative_to(package).parents:
            (package / directory / "__init__.py").touch()


def _compile(root: Path, outputs: list[str], sources: list[str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, *sources], cwd=root, check=True
    )


def _change(path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    text = path.read_text()
    for pattern, replacement in changes:
        text = re.sub(pattern, replacement, text)
    path.write_text(text)


if __name__ == "__main__":
    main()
