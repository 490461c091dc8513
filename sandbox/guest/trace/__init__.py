"""How the guest learns what a plugin tries: from the kernel, and from the interpreter that the plugin shares.

The worker installs the inner filter before any code of a dependency or a plugin runs; process 1 answers for it.
"""
