#!/usr/bin/env python3
"""Makes the project of the artifact vectors: elements of every core kind over files with every oddity.

    make_project.py BUSYBOX OUTPUT

OUTPUT is a new or an empty folder.  It gets project.conf and elements/ of this folder, made files, and a
base of BUSYBOX, a statically linked one.  The same files are made everywhere, so every artifact that does not
hold a part of the base has the digest that expected.json records; record.py writes that file.
"""

import argparse
import io
import shutil
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

# what the commands of the elements need, besides what is built into every shell
BASE_COMMANDS = ("sh", "cat", "chmod", "cp", "ln", "mkdir", "mkfifo", "mv", "rm")


def write_project(output: Path) -> None:
    """Makes the project in the folder `output`, all but the base, which belongs into files/base."""
    output.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "project.conf", output / "project.conf")
    shutil.copytree(HERE / "elements", output / "elements")
    files = output / "files"
    _write_plain(files / "plain")
    _write_overlay(files / "overlay")
    _write_modes(files / "modes")
    _write_symlinks(files / "symlinks")
    _write(files / "instead-of-folder" / "opt/directory1/nothing", "a file where an empty folder was\n")
    _write_empty_directories(files / "empty-directories")
    _write_unicode(files / "unicode")
    _write_archive(files / "archive.tar")


def write_busybox_base(busybox: Path, base: Path) -> None:
    """Makes a base of a busybox and links for the commands that the elements use."""
    (base / "bin").mkdir(parents=True)
    shutil.copyfile(busybox, base / "bin" / "busybox")
    (base / "bin" / "busybox").chmod(0o755)
    for command in BASE_COMMANDS:
        (base / "bin" / command).symlink_to("busybox")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _write_plain(folder: Path) -> None:
    _write(folder / "usr/bin/tool", "#!/bin/sh\necho tool\n", 0o755)
    _write(folder / "usr/bin/deep/tool", "below bin, so of no domain\n")
    _write(folder / "usr/sbin/daemon", "daemon\n", 0o755)
    _write(folder / "usr/libexec/tool/part", "part\n", 0o755)
    _write(folder / "usr/lib/libtool.so.1.2", "library\n")
    (folder / "usr/lib/libtool.so.1").symlink_to("libtool.so.1.2")
    (folder / "usr/lib/libtool.so").symlink_to("libtool.so.1.2")
    _write(folder / "usr/lib/libtool.a", "static\n")
    _write(folder / "usr/lib/plugins/libplugin.so", "plugin\n")
    _write(folder / "usr/lib/pkgconfig/tool.pc", "Name: tool\n")
    _write(folder / "usr/lib/debug/usr/bin/tool.debug", "symbols\n")
    _write(folder / "usr/include/tool/tool.h", "int tool(void);\n")
    _write(folder / "usr/share/doc/tool/notes", "notes\n")
    _write(folder / "usr/share/man/man1/tool.1", ".TH TOOL 1\n")
    _write(folder / "usr/share/locale/de/messages", "Nachrichten\n")
    _write(folder / "usr/share/locale/fr/deep/greeting", "bonjour\n")
    _write(folder / "usr/share/tool/empty", "")
    for number in (1, 2, 10):
        _write(folder / f"opt/file{number}", f"{number}\n")
    _write(folder / "opt/directory1/a/b/c", "c\n")
    (folder / "opt/directory1/nothing").mkdir()


def _write_overlay(folder: Path) -> None:
    _write(folder / "usr/bin/tool", "#!/bin/sh\necho another tool\n")
    _write(folder / "usr/bin/helper", "helper\n", 0o755)
    _write(folder / "usr/lib/libtool.so.1", "a file where a link was\n")
    _write(folder / "usr/include/tool/more.h", "int more(void);\n")
    _write(folder / "usr/share/locale/de/messages", "Botschaften\n")
    (folder / "opt").mkdir()
    (folder / "opt/file10").symlink_to("file1")


def _write_modes(folder: Path) -> None:
    modes = {
        "plain": 0o644,
        "everyone-executes": 0o755,
        "owner-executes": 0o700,
        "group-executes": 0o654,
        "others-execute": 0o641,
        "private": 0o600,
        "everyone-writes": 0o666,
        "set-user-id": 0o4755,
        "sticky": 0o1644,
    }
    for name, mode in modes.items():
        _write(folder / name, f"{mode:o}\n", mode)
    _write(folder / "private-folder/file", "file\n")
    (folder / "private-folder").chmod(0o700)


def _write_symlinks(folder: Path) -> None:
    _write(folder / "usr/bin/file", "file\n")
    links = {
        "relative": "usr/bin/file",
        "absolute": "/usr/bin/file",
        "dangling": "no/such/file",
        "upwards": "../../../../etc",
        "folder": "usr",
        "loop": "loop",
        "untidy": "./usr//bin/../bin/file",
        "usr/bin/link": "file",
        "usr/lib": "bin",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)


def _write_empty_directories(folder: Path) -> None:
    for name in ("top", "a/b/c", "a/b/d", "usr/bin", "usr/share/doc/none"):
        (folder / name).mkdir(parents=True)


def _write_unicode(folder: Path) -> None:
    # the last two sort differently as UTF-16 than as UTF-8; the two accents are one and two characters
    names = (
        "\u00e9",
        "e\u0301",
        "\u65e5\u672c \u8a9e",
        "with space",
        "quote'\"\\",
        "new\nline",
        "\uff57",
        "\U0001f600",
    )
    for name in names:
        _write(folder / name / name, f"{name}\n")
    (folder / "to \u65e5\u672c").symlink_to("\u65e5\u672c \u8a9e")


def _write_archive(path: Path) -> None:
    """Writes a tar archive whose bytes, and so whose ref, are the same everywhere."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("./project-1.0", "./project-1.0/sub", "./project-1.0/sub/empty"):
            _add(archive, name, tarfile.DIRTYPE, mode=0o750)
        _add(archive, "./project-1.0/program", text="program\n", mode=0o4755)
        _add(archive, "./project-1.0/secret", text="secret\n", mode=0o600)
        # its folder has no member of its own
        _add(archive, "./project-1.0/subtle/unlisted/file", text="file\n", mode=0o644)
        _add(archive, "./project-1.0/sub/hard", tarfile.LNKTYPE, target="./project-1.0/program")
        _add(archive, "./project-1.0/sub/soft", tarfile.SYMTYPE, target="../program", mode=0o777)
        _add(archive, "./project-1.0/device", tarfile.CHRTYPE)
        _add(archive, "./project-1.0/fifo", tarfile.FIFOTYPE)
        _add(archive, "./beside", text="not below the base folder\n", mode=0o644)


def _add(
    archive: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    text: str = "",
    target: str = "",
    mode: int = 0o644,
) -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = mode
    member.linkname = target
    member.mtime = 1321009871
    member.size = len(text)
    archive.addfile(member, io.BytesIO(text.encode("ascii")))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("busybox", type=Path, metavar="BUSYBOX")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    arguments = parser.parse_args()
    write_project(arguments.output)
    write_busybox_base(arguments.busybox, arguments.output / "files" / "base")


if __name__ == "__main__":
    main()
