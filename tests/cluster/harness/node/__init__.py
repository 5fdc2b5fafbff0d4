"""A node that runs pods: kubelet, containerd, runc, kube-proxy and CoreDNS, shut into namespaces of their own."""
