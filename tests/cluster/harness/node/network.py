"""The addresses of a real node: as many nodes as clusters run on this machine, each with networks of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Self

from cluster.harness.errors import ClusterError

NODES = 250
NAME_TAKEN = "File exists"
PREFIX = 30  # of the network of two addresses that joins node and machine


@dataclass(frozen=True)
class Network:
    """The networks of the node with this number on this machine.

    A pair of interfaces, one here and one in the node, joins the two; nobody else reaches either end.
    """

    number: int

    @classmethod
    def claim(cls, first: int) -> Self:
        """Makes the pair under the first free number. It is there until the node's network namespace is gone.

        Args:
            first: process id of the first process in the node's namespaces.

        Raises:
            ClusterError: the kernel refuses, or there is no number left.
        """
        for number in range(NODES):
            network = cls(number)
            command = ["ip", "link", "add", network.interface, "type", "veth", "peer", "name", "eth0"]
            done = subprocess.run([*command, "netns", str(first)], capture_output=True, text=True)
            if done.returncode == 0:
                return network
            if NAME_TAKEN not in done.stderr:
                raise ClusterError(f"a pair of network interfaces cannot be made: {done.stderr.strip()}")
        raise ClusterError(f"{NODES} nodes run on this machine (`ip link` lists the interfaces mediatask*)")

    @property
    def interface(self) -> str:
        """This machine's end of the pair."""
        return f"mediatask{self.number}"

    @property
    def host(self) -> str:
        """This machine, as the node and its pods reach it."""
        return f"10.250.{self.number}.1"

    @property
    def node(self) -> str:
        """The node, as this machine reaches it."""
        return f"10.250.{self.number}.2"

    @property
    def pods(self) -> str:
        """The pods' network; this machine has a route to it."""
        return f"10.244.{self.number}.0/24"

    @property
    def services(self) -> str:
        """The Services' network; this machine has a route to it."""
        return f"10.96.{self.number}.0/24"

    @property
    def dns(self) -> str:
        """The Service of CoreDNS: 10.96.0.10 on the first node, as everywhere."""
        return f"10.96.{self.number}.10"
