# A base of Debian's packages for machines that can pull none: ROOT is what mmdebstrap made of them.
FROM scratch
ADD root.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/sh"]
