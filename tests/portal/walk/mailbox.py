"""A mail server that keeps what it is given, so that a test can follow the links in it."""

import re
import socketserver
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage


class Mailbox(socketserver.ThreadingTCPServer):
    """Takes every mail, for anybody."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.mails: list[EmailMessage] = []
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
        self._say("220 mailbox")
        while line := self.rfile.readline().strip().upper():
            if line == b"QUIT":
                self._say("221 bye")
                return
            if line == b"DATA":
                self._say("354 go on")
                text = b""
                while (more := self.rfile.readline()) not in (b".\r\n", b""):
                    text += more.removeprefix(b".") if more.startswith(b"..") else more
                self.server.mails.append(message_from_bytes(text, policy=policy.default))  # type: ignore[arg-type]
            self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
