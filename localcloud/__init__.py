"""The laptop's AWS: an emulator with plug-ins, a local SageMaker, and what starts, fills and ends them.

Nothing here is shipped to AWS. `localcloud.supervisor` starts a server, `localcloud.deploy` puts the real template into
it, and `docs/local-aws.md` says what is patched, what is simplified and what is absent.
"""
