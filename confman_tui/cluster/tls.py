"""How this program trusts nodes whose addresses begin with ``https``: the one place where TLS contexts are made.

A node's certificate must be good for the host that the node is named by. CAs come from ``--ca-file`` alone where that
is given, else from ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` alone, else from the system and from certifi.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confman_tui.core.errors import UsageError

if TYPE_CHECKING:
    from confman_tui.settings import Settings

# Codes of OpenSSL's verification, X509_V_ERR_… (x509_vfy.h).
_UNKNOWN_CA = frozenset({2, 18, 19, 20, 21})
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_HOST = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Which certificates are taken."""

    ca_file: str | None = None
    """Absolute path of a PEM file with the CAs to trust, in the place of all others; None: those of this machine."""
    insecure: bool = False
    """Take any certificate: whoever stands between the program and the nodes gets the API key."""

    @classmethod
    def of(cls, settings: Settings) -> TlsOptions:
        """Those that the settings ask for."""
        file = settings.ca_file
        return cls(str(file.absolute()) if file is not None else None, settings.insecure)

    def check(self) -> None:
        """Read the file of CAs, if one is named. Raises UsageError, as `make_context` does."""
        if self.ca_file is not None:
            make_context(TlsOptions(self.ca_file))


MACHINE_CAS: Final = TlsOptions()
"""What holds where nobody says otherwise: the CAs of this machine."""


def needs_tls(nodes: Iterable[str]) -> bool:
    """Whether any of these nodes (base URLs) speaks TLS."""
    return any(node.startswith("https:") for node in nodes)


def make_context(options: TlsOptions, kind: type[ssl.SSLContext] = ssl.SSLContext) -> ssl.SSLContext:
    """A context for connections to nodes. It takes some 20 ms to read this machine's CAs, so make one and share it.

    Args:
        options: which certificates to take.
        kind: the class of the context, for libraries that have one of their own (gevent's).

    Raises:
        UsageError: the file of CAs can't be used; names it and the setting that it came from.
    """
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if options.ca_file is not None:
        _load(context, Path(options.ca_file), "--ca-file")
    elif file:
        _load(context, Path(file), "SSL_CERT_FILE")
    elif folder:
        context.load_verify_locations(capath=folder)
    else:
        import certifi  # a file of 280 KB, and few clusters have certificates of a public CA

        context.set_default_verify_paths()
        context.load_verify_locations(cafile=certifi.where())
    return context


def plain_context() -> ssl.SSLContext:
    """A context that trusts nobody, for libraries that want one though no node speaks TLS: made in no time."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def context_for(nodes: Iterable[str], options: TlsOptions) -> ssl.SSLContext:
    """The context for these nodes: with CAs only where one of them speaks TLS. Raises as `make_context` does."""
    return make_context(options) if needs_tls(nodes) else plain_context()


def _load(context: ssl.SSLContext, path: Path, source: str) -> None:
    """Trust the CAs of a PEM file. Raises UsageError."""
    shown = f"{source}: {str(path)!r}"
    try:
        if not path.is_file():
            # a FIFO would be waited for without end
            raise UsageError(
                f"{shown} is {'no file' if path.exists() else 'not there'}; it must be a file of CAs in PEM"
            )
        path.read_bytes()
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"{shown} holds no certificate in PEM (BEGIN CERTIFICATE)") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "malformed path"
        raise UsageError(f"{shown} can't be read: {why}") from None
    if not context.cert_store_stats()["x509"]:
        raise UsageError(f"{shown} holds no certificate in PEM (BEGIN CERTIFICATE)")


def tls_failure(error: ssl.SSLError) -> str:
    """Why TLS with a node failed, in words that can follow the node's name."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "").replace("_", " ").lower()
        return f"does not speak TLS as this program does ({reason})" if reason else "does not speak TLS"
    code = error.verify_code
    if code in _UNKNOWN_CA:
        return "its certificate is of a CA that is not trusted here (--ca-file FILE names one)"
    if code in _OTHER_HOST:
        return "its certificate is for another host"
    if code == _EXPIRED:
        return "its certificate has expired"
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet"
    return f"its certificate does not fit: {error.verify_message}"
