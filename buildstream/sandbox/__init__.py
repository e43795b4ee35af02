"""The environment that commands of a build run in: public interface for plugins."""

from .sandbox import Sandbox, SandboxCommandError, _SandboxFlags

__all__ = ["Sandbox", "SandboxCommandError", "_SandboxFlags"]
