"""MediaTask as it is installed: the chart's accounts and roles, and the real processes under them.

The nodes are kwok's, so no container runs: tests play what a job's process would do (`Ground`), one step at a time.
"""

from __future__ import annotations

from cluster.kits.played.chart import render
from cluster.kits.played.ground import Ground, Seen, open_ground
from cluster.kits.played.installed import Installed, install
from cluster.kits.played.side_by_side import side_by_side

__all__ = ["Ground", "Installed", "Seen", "install", "open_ground", "render", "side_by_side"]
