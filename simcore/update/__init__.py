"""Over-the-air update of an ECU: flash, bootloader, metadata, audit log, update client, bundles.

Nothing is imported here, so that whoever needs one part does not pay for the libraries of the
others: the client is in `simcore.update.client`, the coordinator of a bundle in
`simcore.update.bundle`.
"""
