"""A mail server that keeps what it is given, so that a test can follow the links in it."""

import base64
import re
import socketserver
import ssl
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage


class Mailbox(socketserver.ThreadingTCPServer):
    """Takes every mail, for anybody.

    Parameters
    ----------
    certificate
        Certificate and key, as files; with them it speaks TLS.
    at_once
        Whether it speaks TLS from the first byte, or when it is asked to (STARTTLS).
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, certificate: tuple[str, str] | None = None, *, at_once: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.mails: list[EmailMessage] = []
        self.passwords: list[tuple[str, bool]] = []  # and whether they came encrypted
        self.context, self.at_once = None, at_once
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        """For ``STRIATE_PORTAL_MAIL``."""
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def link_to(self, person: str, seconds: float = 20) -> str:
        """The link in the last mail to somebody, once it has come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for mail in reversed(self.mails):
                if mail["To"] == person:
                    link = re.search(r"http://\S+", mail.get_content())
                    assert link, mail
                    return link[0]
            time.sleep(0.05)
        raise AssertionError(f"no mail came to {person}")


class _Talk(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.encrypted = False
        try:
            if self.server.at_once:
                self._encrypt()
            self._say("220 mailbox")
            while line := self.rfile.readline().strip():
                if line.upper() == b"QUIT":
                    self._say("221 bye")
                    return
                self._answer(line)
        except ssl.SSLError:
            """A sender that does not believe the certificate goes away."""

    def _answer(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word.upper() == b"EHLO" and self.server.context is not None:
            self._say("250-mailbox")
            self._say("250 AUTH PLAIN" if self.encrypted else "250 STARTTLS")
        elif word.upper() == b"STARTTLS" and self.server.context is not None:
            self._say("220 go on")
            self._encrypt()
        elif word.upper() == b"AUTH":
            told = base64.b64decode(rest.split()[1]).split(b"\0")
            self.server.passwords.append((told[2].decode(), self.encrypted))
            self._say("235 ok")
        else:
            if word.upper() == b"DATA":
                self._say("354 go on")
                self._take()
            self._say("250 ok")

    def _take(self) -> None:
        text = b""
        while (more := self.rfile.readline()) not in (b".\r\n", b""):
            text += more.removeprefix(b".") if more.startswith(b"..") else more
        self.server.mails.append(message_from_bytes(text, policy=policy.default))  # type: ignore[arg-type]

    def _encrypt(self) -> None:
        assert self.server.context is not None
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.encrypted = True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
