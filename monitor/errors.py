"""What can go wrong, as one tree.

VigiaError                  anything that this product raises on purpose
├── ConfigurationError      (inventory) the configuration cannot be used: every fault with its place and remedy
├── NotFoundError           a server, check, incident, window or ticket of that name does not exist
├── RefusedError            the request is understood and not allowed now, with the reason
├── StoreError              the database cannot do what was asked
│   ├── BusyError           another process holds it; the same call may succeed later
│   ├── ConflictError       the journal moved on meanwhile: decide anew
│   └── SchemaError         the file is newer than this program, or no database of ours
├── AlreadyRunningError     another watch holds the data directory
├── TargetFaultError        (checks.contract) trouble at the target of a look: becomes an observation with a cause
├── OwnFaultError           (checks.contract) our own trouble during a look: unknown, never an incident
├── LineError               (line) no connection to the outside stands, so nothing was sent
├── PostError               (post) a letter was not taken or a mailbox not read, and how sure we are of that
└── DeliveryError           (tickets.port) a helpdesk did not confirm an action, and how sure we are of its fate
"""

from __future__ import annotations


class VigiaError(Exception):
    """Anything that this product raises on purpose; its text is fit to be shown to an operator."""


class NotFoundError(VigiaError):
    """A server, check, incident, window or ticket of that name does not exist."""


class RefusedError(VigiaError):
    """The request is understood and not allowed now; the text says why and what would help."""


class StoreError(VigiaError):
    """The database cannot do what was asked."""


class BusyError(StoreError):
    """Another process holds the database; the same call may succeed later."""


class ConflictError(StoreError):
    """The journal moved on since the decision was made: load again and decide anew."""


class SchemaError(StoreError):
    """The file is newer than this program, or is no database of ours."""


class AlreadyRunningError(VigiaError):
    """Another watch holds the lock of the data directory."""
