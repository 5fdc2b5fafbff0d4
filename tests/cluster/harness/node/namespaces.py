"""The namespaces of a real node: its own mounts, network and processes, as if it were a machine.

All that a kubelet and a container runtime leave behind (mounts, interfaces, iptables rules, shims, containers) lies
in them and is gone, with their first process, by the kernel's doing: also after `kill -9` of the harness. Files that
they write to the usual places land in the cluster's folder. A pair of interfaces leads in: the node's Services and
pods have routes from this machine, and pods reach this machine at `HOST_ADDRESS`, where the API server listens.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

from cluster.harness.controlplane import SERVICE_NETWORK
from cluster.harness.errors import ClusterError

HOST_ADDRESS = "10.250.0.1"
NODE_ADDRESS = "10.250.0.2"
POD_NETWORK = "10.244.0.0/24"
INTERFACE = "mediatask0"  # this machine's end of the pair
GONE_SECONDS = 10

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


def check_free() -> None:
    """Waits until the network of a node that has just ended is gone.

    Raises:
        ClusterError: another node runs on this machine: there can be one at a time.
    """
    deadline = time.monotonic() + GONE_SECONDS
    while (Path("/sys/class/net") / INTERFACE).exists():
        if time.monotonic() > deadline:
            raise ClusterError(f"a cluster with a real node runs on this machine (it has the interface {INTERFACE})")
        time.sleep(0.1)


def furnish(first: int, state: Path, logs: Path, needed: list[Path]) -> None:
    """Gives new namespaces their mounts and their network.

    Args:
        first: process id of their first process.
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
        f"ip address add {NODE_ADDRESS}/30 dev eth0",
        "ip link set eth0 up",
    ]
    outside = [
        f"ip address add {HOST_ADDRESS}/30 dev {INTERFACE}",
        f"ip link set {INTERFACE} up",
        *(f"ip route add {network} via {NODE_ADDRESS}" for network in (SERVICE_NETWORK, POD_NETWORK)),
    ]
    _run(["ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", "eth0", "netns", str(first)])
    _run(["nsenter", f"--target={first}", "--mount", "--net", "--pid", "sh", "-ec", "\n".join(inside)])
    _run(["sh", "-ec", "\n".join(outside)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(f"{command[0]} failed with {done.returncode}: {done.stderr.strip()}")
