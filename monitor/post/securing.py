"""The TLS of a conversation with a mail server."""

from __future__ import annotations

import ssl

from monitor.post.port import Outcome, PostError, ServerOptions


def context_of(options: ServerOptions) -> ssl.SSLContext:
    """Return what a server's certificate is held to: the authority that is configured, else those that everybody trusts."""
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ValueError) as error:
        raise PostError(
            Outcome.FORBIDDEN, f"the certificate authority {options.ca_file} cannot be read"
        ) from error
