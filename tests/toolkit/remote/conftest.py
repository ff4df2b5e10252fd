"""A device that is reached over ssh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.toolkit.remote.loopback import Device, Sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd on loopback. A test that stops it takes `own_sshd`."""
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """One of the test's own."""
    (tmp_path / "sshd").mkdir()
    server = Sshd(tmp_path / "sshd").start()
    yield server
    server.stop()


@pytest.fixture
def device(sshd: Sshd, tmp_path: Path) -> Device:
    """A machine with nothing on it yet."""
    return Device(sshd, tmp_path / "device")
