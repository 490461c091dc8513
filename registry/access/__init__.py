"""Who may do what, and how often."""

from registry.access.keys import Keys, Principal, Role
from registry.access.rates import Rates

__all__ = ["Keys", "Principal", "Rates", "Role"]
