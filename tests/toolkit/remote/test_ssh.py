from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from export.runtime.errors import UserError
from tests.toolkit.remote.loopback import Device, Sshd, make_key
from toolkit.remote.ssh import CONFIG_VARIABLE, LinkError, Ssh, end, fingerprint, reach, start


def refusal(ssh: Ssh, kind: type[UserError] = UserError) -> UserError:
    with pytest.raises(kind) as caught:
        ssh.run("true")
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    "target",
    [
        "",
        "-oProxyCommand=touch x",
        "-l",
        "a b",
        "a\nb",
        "a\tb",
        "a;b",
        "$(x)",
        "`x`",
        "a'b",
        'a"b',
        "a|b",
        "a&b",
        "~x",
    ],
)
def test_a_target_that_is_no_name_is_refused_before_ssh_sees_it(target: str) -> None:
    with pytest.raises(UserError, match="is no machine's name") as caught:
        reach(target)
    assert "HOST=" in caught.value.remedy


@pytest.mark.parametrize(
    "target", ["pi", "pi@raspberrypi.local", "pi@192.168.1.7", "ssh://pi@host:2222", "pi@fe80::1%wlan0", "my_pi-4"]
)
def test_names_that_ssh_takes_are_taken(target: str) -> None:
    assert reach(target).target == target


def test_the_destination_stands_behind_two_dashes() -> None:
    command = Ssh("pi@host", Path("/some/config")).command(Path("log"))
    assert command[-2:] == ["--", "pi@host"]
    assert command[command.index("-F") + 1] == "/some/config"
    assert "-F" not in Ssh("pi@host").command(Path("log"))


def test_another_configuration_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, "/my/config")
    assert reach("pi").config == Path("/my/config")
    assert reach("pi", Path("/given")).config == Path("/given")
    monkeypatch.delenv(CONFIG_VARIABLE)
    assert reach("pi").config is None


def test_what_weakens_a_connection_is_overruled_and_the_rest_of_the_configuration_kept(tmp_path: Path) -> None:
    weak = {
        "StrictHostKeyChecking": "no", "PasswordAuthentication": "yes", "KbdInteractiveAuthentication": "yes",
        "PreferredAuthentications": "password", "BatchMode": "no", "ControlMaster": "auto", "ControlPath": "/tmp/x",
        "ForwardAgent": "yes", "RemoteCommand": "reboot", "PermitLocalCommand": "yes", "UpdateHostKeys": "yes",
    }  # fmt: skip
    config = tmp_path / "config"
    config.write_text("\n".join(["Host pi", *(f"  {name} {value}" for name, value in weak.items()), "  Port 2222"]))
    command = Ssh("pi", config).command(tmp_path / "log")
    # ssh prints what it would do, and does nothing.
    told = subprocess.run([command[0], "-G", *command[1:]], capture_output=True, text=True, check=True).stdout
    settings = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    assert settings["port"] == "2222"
    assert settings["stricthostkeychecking"] == "true"
    assert settings["batchmode"] == "yes"
    assert settings["preferredauthentications"] == "publickey"
    for name in ("passwordauthentication", "kbdinteractiveauthentication", "forwardagent", "permitlocalcommand"):
        assert settings[name] == "no"
    assert settings["controlmaster"] == "false"
    assert settings.get("controlpath", "none") == "none"
    assert settings.get("remotecommand", "none") == "none"
    assert settings["serveraliveinterval"] == "5"


def test_a_command_gets_its_input_and_gives_output_errors_and_status_apart(device: Device) -> None:
    answer = Ssh("device", device.config).run("cat; echo oops >&2; exit 7", b"\0binary\n")
    assert answer.output == b"\0binary\n"
    assert answer.errors == "oops\n"
    assert answer.code == 7


def test_the_fingerprint_is_that_of_the_host_key_in_use(device: Device) -> None:
    assert Ssh("device", device.config).run("true").fingerprint == device.sshd.fingerprint


def test_behind_a_jump_host_the_last_key_counts() -> None:
    log = "debug1: Server host key: ssh-rsa SHA256:jump\ndebug1: Server host key: ssh-ed25519 SHA256:target\n"
    assert fingerprint(log) == "ssh-ed25519 SHA256:target"
    assert fingerprint("nothing") == ""


def test_the_time_limit_of_an_answer_is_kept(device: Device) -> None:
    started = time.monotonic()
    with pytest.raises(LinkError, match="did not answer within 1 s"):
        Ssh("device", device.config).run("sleep 5", limit_s=1)
    assert time.monotonic() - started < 4


def test_a_wrong_key_is_told_with_how_to_put_the_right_one_there(device: Device) -> None:
    config = device.configure(IdentityFile=str(make_key(device.folder / "other_key")))
    error = refusal(Ssh("device", config))
    assert "accepts none of your keys" in error.message
    assert "ssh-copy-id device" in error.remedy
    assert not isinstance(error, LinkError)


def test_a_key_that_others_may_read_is_told(device: Device) -> None:
    key = device.folder / "open_key"
    key.write_bytes((device.sshd.folder / "user_key").read_bytes())
    key.chmod(0o644)
    error = refusal(Ssh("device", device.configure(IdentityFile=str(key))))
    assert "UNPROTECTED PRIVATE KEY FILE" in error.message
    assert "chmod 600" in error.remedy


def test_an_unknown_host_key_is_told_with_its_fingerprint_and_how_to_compare_it(device: Device) -> None:
    (device.folder / "known_hosts").write_text("")
    error = refusal(Ssh("device", device.config))
    assert "is not known to this computer yet" in error.message
    assert device.sshd.fingerprint in error.message
    assert "ssh-keygen -lf" in error.remedy
    assert (device.folder / "known_hosts").read_text() == ""


def test_a_changed_host_key_is_a_warning_that_names_what_to_remove(device: Device) -> None:
    other = make_key(device.folder / "other_host_key").with_suffix(".pub").read_text()
    (device.folder / "known_hosts").write_text(f"[127.0.0.1]:{device.sshd.port} {other}")
    error = refusal(Ssh("device", device.config))
    assert "is not the one this computer knows" in error.message
    assert device.sshd.fingerprint in error.message
    assert f"ssh-keygen -R '[127.0.0.1]:{device.sshd.port}'" in error.remedy
    assert "between you and the device" in error.remedy


def test_a_revoked_host_key_is_not_trusted(device: Device) -> None:
    (device.folder / "known_hosts").write_text(f"@revoked {device.sshd.known_hosts}")
    assert "revoked" in refusal(Ssh("device", device.config)).message


def test_a_machine_without_an_ssh_server_is_told(device: Device) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        config = device.configure(Port=str(taken.getsockname()[1]))
        error = refusal(Ssh("device", config), LinkError)
    assert "no ssh server answers" in error.message
    assert "raspi-config" in error.remedy


def test_a_machine_that_accepts_and_says_nothing_is_given_up(device: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = device.configure(Port=str(silent.getsockname()[1]))
        assert "cannot be reached" in refusal(Ssh("device", config, connect_s=1), LinkError).message


def test_a_name_that_does_not_resolve_is_told() -> None:
    ssh = Ssh("nosuchpi.invalid")
    error = ssh.unexplained(
        Path("none"), "ssh: Could not resolve hostname nosuchpi.invalid: Name or service not known"
    )
    assert "no machine called nosuchpi.invalid" in error.message
    assert "mDNS" in error.remedy
    assert isinstance(error, LinkError)


@pytest.mark.parametrize(
    "said", ["No route to host", "Operation timed out", "Network is unreachable", "Host is down"]
)
def test_an_unreachable_machine_is_told(said: str) -> None:
    error = Ssh("pi").unexplained(Path("none"), f"ssh: connect to host pi port 22: {said}")
    assert error.message == "pi cannot be reached."


def test_a_mistake_in_the_configuration_is_told(device: Device) -> None:
    error = refusal(Ssh("device", device.configure(NoSuchOption="yes")))
    assert "Bad configuration option: nosuchoption" in error.message


def test_what_is_not_known_is_told_in_ssh_s_own_words(device: Device) -> None:
    error = refusal(Ssh("device", device.configure(KexAlgorithms="diffie-hellman-group1-sha1")), LinkError)
    assert "no matching key exchange method found" in error.message
    assert error.remedy == "Try it by hand: ssh device"
    assert "it gave no reason" in Ssh("pi").unexplained(Path("none")).message


def test_a_connection_that_is_cut_is_a_broken_link(own_sshd: Sshd, tmp_path: Path) -> None:
    device = Device(own_sshd, tmp_path / "device")
    with Ssh("device", device.config).call("echo ready; sleep 20") as call:
        assert call.process.stdout is not None
        assert call.process.stdout.readline() == b"ready\n"
        assert own_sshd.cut() > 0
        with pytest.raises(LinkError, match="closed the connection"):
            call.finish()


def test_leaving_a_call_ends_ssh(device: Device) -> None:
    with Ssh("device", device.config).call("echo ready; sleep 20") as call:
        assert call.process.stdout is not None
        call.process.stdout.readline()
    assert call.process.returncode is not None


def test_a_program_that_will_not_end_is_killed() -> None:
    process = start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    end(process)
    assert process.returncode == -signal.SIGKILL


def test_ctrl_c_in_the_terminal_does_not_reach_ssh(device: Device) -> None:
    with Ssh("device", device.config).call("echo ready; sleep 1") as call:
        assert os.getpgid(call.process.pid) != os.getpgid(0)


def test_a_computer_without_ssh_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "openssh-client" in refusal(Ssh("pi")).remedy


def test_much_output_on_both_sides_does_not_block(device: Device) -> None:
    data = os.urandom(300_000)
    answers = []
    ssh = Ssh("device", device.config)
    thread = threading.Thread(target=lambda: answers.append(ssh.run("tee /dev/stderr", data)), daemon=True)
    thread.start()
    thread.join(20)
    assert answers[0].output == data
