"""Directories that plugins work with, whether they live in the content store or on the host."""

from .directory import Directory, DirectoryError, FileStat, FileType

__all__ = ["Directory", "DirectoryError", "FileStat", "FileType"]
