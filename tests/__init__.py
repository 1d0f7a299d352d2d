"""
The tests of txingress.
"""

from __future__ import annotations

from hypothesis import settings

# An example that takes long says something of the machine, which may be busy.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
