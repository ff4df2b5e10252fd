"""ARM processors without one: a bundle's answers under QEMU."""
