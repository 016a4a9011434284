"""Real servers on loopback that can be broken and mended while they run."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PAGE = b"<!doctype html><title>demo</title><p>Ingresar</p>"


class WebServer:
    """A web server that can be made slow, and answer with another certificate."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.delay = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stopped.wait(outer.delay)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(_PAGE)))
                self.end_headers()
                self.wfile.write(_PAGE)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing: every look would be a line."""

        stopped = threading.Event()
        self._stopped = stopped
        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def present(self, certificate: Path) -> None:
        """Show another certificate from the next connection on."""
        if self._context is not None:
            self._context.load_cert_chain(certificate)

    def close(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that leaves early, or refuses a certificate, is part of the show."""


class MailServer:
    """Something that greets on a port, and can stop listening."""

    def __init__(self) -> None:
        self._socket = self._listen(0)
        self.port = int(self._socket.getsockname()[1])
        self._open = True
        threading.Thread(target=self._serve, args=(self._socket,), daemon=True).start()

    @staticmethod
    def _listen(port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port), backlog=64)

    @staticmethod
    def _serve(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(b"220 mail.demo ESMTP\r\n")
            except OSError:
                return

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._open:
            self._open = False
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def start(self) -> None:
        """Listen again, on the same port."""
        if not self._open:
            self._socket = self._listen(self.port)
            self._open = True
            threading.Thread(target=self._serve, args=(self._socket,), daemon=True).start()


class NameServer:
    """A name server for the zone of the demo; a name in `dead` does not exist."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                packet, client = self._socket.recvfrom(4096)
            except OSError:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(packet)), client)

    def _answer(self, query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        if question.name.to_text(omit_final_dot=True) in self.dead:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(question.name, 5, "IN", "A", "127.0.0.1"))
        return answer.to_wire()

    def close(self) -> None:
        self._socket.close()


def make_certificates(folder: Path, now: datetime) -> dict[str, Path]:
    """Write an authority (`ca`), a certificate for `tienda.demo` (`good`) and one for another host (`wrong`)."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _name("Demo CA")
    ca = (
        x509.CertificateBuilder()
        .subject_name(authority)
        .issuer_name(authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = {"ca": folder / "ca.pem"}
    paths["ca"].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    for role, host in (("good", "tienda.demo"), ("wrong", "otra.demo")):
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        leaf = (
            x509.CertificateBuilder()
            .subject_name(_name(host))
            .issuer_name(authority)
            .public_key(leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        paths[role] = folder / f"{role}.pem"
        paths[role].write_bytes(
            leaf_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + leaf.public_bytes(serialization.Encoding.PEM)
        )
    return paths


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
