"""Letters: composed, sent by SMTP, read by IMAP and understood. What they are about is the business of others."""
