"""Machine-readable error classes: the domain an error belongs to, and why a load failed.

The names and the values are part of the public interface of the BuildStream 2
format; tools and tests compare them.
"""

from enum import Enum, unique


@unique
class ErrorDomain(Enum):
    """Which part of the program an error belongs to."""

    PLUGIN = 1
    LOAD = 2
    IMPL = 3
    PLATFORM = 4
    SANDBOX = 5
    ARTIFACT = 6
    PIPELINE = 7
    UTIL = 8
    SOURCE = 9
    ELEMENT = 10
    APP = 11
    STREAM = 12
    VIRTUAL_FS = 13
    CAS = 14
    PROG_NOT_FOUND = 15
    REMOTE = 16
    PROFILE = 17


@unique
class LoadErrorReason(Enum):
    """Why a project, an element or a configuration file could not be loaded."""

    MISSING_FILE = 1
    INVALID_YAML = 2
    INVALID_DATA = 3
    ILLEGAL_COMPOSITE = 4
    CIRCULAR_DEPENDENCY = 5
    UNRESOLVED_VARIABLE = 6
    UNSUPPORTED_PROJECT = 7
    UNSUPPORTED_PLUGIN = 8
    EXPRESSION_FAILED = 9
    USER_ASSERTION = 10
    TRAILING_LIST_DIRECTIVE = 11
    CONFLICTING_JUNCTION = 12
    INVALID_JUNCTION = 13
    SUBPROJECT_INCONSISTENT = 15
    INVALID_SYMBOL_NAME = 16
    MISSING_PROJECT_CONF = 17
    LOADING_DIRECTORY = 18
    PROJ_PATH_INVALID = 19
    PROJ_PATH_INVALID_KIND = 20
    RECURSIVE_INCLUDE = 21
    CIRCULAR_REFERENCE_VARIABLE = 22
    PROTECTED_VARIABLE_REDEFINED = 23
    INVALID_DEPENDENCY_CONFIG = 24
    LINK_FORBIDDEN_DEPENDENCIES = 25
    CIRCULAR_REFERENCE = 26
    BAD_ELEMENT_SUFFIX = 27
    BAD_CHARACTERS_IN_NAME = 28
    UNDEFINED_SOURCE_PROVENANCE_ATTRIBUTE = 29
