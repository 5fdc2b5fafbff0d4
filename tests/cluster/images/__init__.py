"""The project's container images, built without Docker: `python -m cluster.images`.

Where there is Docker, `docker build` with the same Dockerfiles does it. Tests of real pods must run where there is
none, and where no image can be pulled: the base is made of Debian's packages by mmdebstrap, the Dockerfiles are built
by buildah, and the result is one OCI archive an image, which `ctr images import` and `kind load image-archive` read.
"""

from __future__ import annotations
