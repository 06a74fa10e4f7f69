"""SIP without I/O: messages, transactions, dialogs, digest, registrar. See README.md."""
