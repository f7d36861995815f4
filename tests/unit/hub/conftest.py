"""The fixtures of pushing."""

from tests.hub.folders import folder, hub, template

__all__ = ["folder", "hub", "template"]
