"""The namespaces of a real node: its own mounts, network and processes, as if it were a machine.

All that a kubelet and a container runtime leave behind (mounts, interfaces, iptables rules, shims, containers) lies
in them and is gone, with their first process, by the kernel's doing: also after `kill -9` of the harness. Files that
they write to the usual places land in the cluster's folder. Only routes lead in: from this machine to the Services and
pods, and from there to this machine alone.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from cluster.harness.errors import ClusterError
from cluster.harness.node.network import PREFIX, Network

NAMESPACED = Path(__file__).with_name("namespaced.py")

# What the kubelet would set for the whole machine, were it not so. It reads these files instead and is content.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def furnish(first: int, network: Network, state: Path, logs: Path, needed: list[Path]) -> None:
    """Gives new namespaces their mounts and their network.

    Args:
        first: process id of their first process.
        network: the addresses; claimed.
        state: a folder for what the node writes to /run and /var/lib.
        logs: a folder for what it writes to /var/log: the logs of the containers.
        needed: files and folders that have to be seen inside.

    Raises:
        ClusterError: a needed file would be hidden, or a command failed.
    """
    replaced = {"/run": state / "run", "/var/lib": state / "var-lib", "/var/log": logs}
    for place in replaced:
        if hidden := [path for path in (state, *needed) if path.resolve().is_relative_to(place)]:
            raise ClusterError(f"a real node has its own {place}: move {hidden[0]} elsewhere")
    settings = {f"/proc/sys/{name}": state / "kernel" / name.replace("/", ".") for name in KERNEL_SETTINGS}
    for source in (state / "run", state / "var-lib", state / "var-lib/containerd/tmp", state / "kernel"):
        source.mkdir(parents=True)
    for source, value in zip(settings.values(), KERNEL_SETTINGS.values(), strict=True):
        source.write_text(f"{value}\n")

    inside = [
        "mount --make-rprivate /",  # nothing mounted here is seen outside
        "mount --make-rshared /",  # but containers see what the kubelet mounts
        "mount -t proc proc /proc",
        *(shlex.join(["mount", "--bind", str(source), place]) for place, source in (replaced | settings).items()),
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
        "ip link set lo up",
        f"ip address add {network.node}/{PREFIX} dev eth0",
        "ip link set eth0 up",
    ]
    outside = [
        f"ip address add {network.host}/{PREFIX} dev {network.interface}",
        f"ip link set {network.interface} up",
        *(f"ip route add {target} via {network.node}" for target in (network.services, network.pods)),
    ]
    _run(["nsenter", f"--target={first}", "--mount", "--net", "--pid", "sh", "-ec", "\n".join(inside)])
    _run(["sh", "-ec", "\n".join(outside)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(f"{command[0]} failed with {done.returncode}: {done.stderr.strip()}")
