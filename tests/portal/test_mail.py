"""Mail over encrypted connections: the password goes to the server that was named, and to nobody else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django", reason="the portal is an extra: pip install 'striate[portal]'")

from tests.portal.walk.mailbox import Mailbox

SEND = """
import threading, django
django.setup()
from django.core.mail import send_mail
send_mail("verify", "a link", None, ["ada@example.org"])
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
"""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate that nobody has signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    made, key = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", made]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def send(address: str, trusted: str = "") -> str:
    """Send a mail as the portal does; what it wrote into the log."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("STRIATE_PORTAL", "DATABASE", "SSL_CERT"))}
    environment |= {"STRIATE_PORTAL_MAIL": address, "DJANGO_SETTINGS_MODULE": "striate.portal.settings"}
    if trusted:
        environment["SSL_CERT_FILE"] = trusted
    done = subprocess.run(
        [sys.executable, "-c", SEND], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_the_password_goes_out_encrypted(certificate: tuple[str, str], scheme: str) -> None:
    with Mailbox(certificate, at_once=scheme == "smtps") as box:
        send(f"{scheme}://us%40er:pa%2Fss@localhost:{box.server_address[1]}", trusted=certificate[0])
        box.shutdown()
    assert [mail["To"] for mail in box.mails] == ["ada@example.org"]
    assert box.passwords == [("pa/ss", True)]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_that_is_not_the_servers_gets_no_password(certificate: tuple[str, str], scheme: str) -> None:
    with Mailbox(certificate, at_once=scheme == "smtps") as box:
        said = send(f"{scheme}://user:password@localhost:{box.server_address[1]}")
        box.shutdown()
    assert (box.mails, box.passwords) == ([], [])
    assert "mail could not be sent" in said
    assert "certificate verify failed" in said
    assert "password" not in said.replace("password reset", "")


@pytest.mark.slow
def test_a_server_that_cannot_encrypt_gets_no_password() -> None:
    with Mailbox() as box:
        said = send(f"smtp://user:password@localhost:{box.server_address[1]}")
        box.shutdown()
    assert (box.mails, box.passwords) == ([], [])
    assert "mail could not be sent" in said


@pytest.mark.slow
def test_a_server_of_this_machine_needs_no_password() -> None:
    with Mailbox() as box:
        send(box.address)
        box.shutdown()
    assert [mail["To"] for mail in box.mails] == ["ada@example.org"]
