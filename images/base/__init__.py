"""The base of every image: an interpreter and the platform's own packages."""

from images.base.ensure import BaseChoice, ensure_base
from images.base.model import BaseImage

__all__ = ["BaseChoice", "BaseImage", "ensure_base"]
