"""MediaTask as a user installs it: images on a node, `helm install`, and what the chart's notes say to do next.

Pods really run. Everything is asked for as a user would: helm, kubectl, REST through the Service, media by its link.
"""

from __future__ import annotations

from cluster.kits.release.commands import Commands
from cluster.kits.release.receiver import Receiver
from cluster.kits.release.release import NAMESPACE, Release

__all__ = ["NAMESPACE", "Commands", "Receiver", "Release"]
