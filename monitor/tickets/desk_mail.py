"""How the built-in desk is reached by mail: whose letters it takes, and by which servers they come and go."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from monitor.post.port import Address, ImapOptions, SmtpOptions


class DeskMailOptions(BaseModel):
    """`sender` (`from`) is the address that the desk writes from, `imap` the mailbox that it reads, together with those of the departments.

    Without `imap` letters come in by `vigia desk receive`. With `registered_only` those of unknown senders are declined.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    sender: Address = Field(alias="from", description="The address that the desk writes from.")
    smtp: SmtpOptions = Field(description="The mail server that takes the desk's letters.")
    imap: ImapOptions | None = Field(
        default=None,
        description="The mailbox that the desk reads; without it `vigia desk receive` takes letters.",
    )
    registered_only: bool = Field(
        default=True, description="Whether only registered addresses may open tickets by mail."
    )
