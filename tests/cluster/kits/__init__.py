"""What tests work with.

`played` runs the services as processes beside nodes that play pods; `release` is what helm installs on a real node.
"""
