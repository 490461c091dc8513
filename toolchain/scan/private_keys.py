"""What a private key in a file looks like: the one rule for what is packed and what is scanned."""

from __future__ import annotations

import re
from typing import Final

START: Final = b"-----BEGIN "
"""What every key begins with: a file without it need not be searched."""

# PEM (RFC 7468, and RFC 1421's headers of encrypted keys), OpenSSH's and OpenPGP's armour. A key may stand in
# source or JSON, where line ends are written `\n` and lines are in quotes or comments. The words alone are no key:
# code that looks for keys has them too.
_GAP: Final = rb"(?:\\[nrt]|[^A-Za-z0-9+/=-]){1,40}"
PRIVATE_KEY: Final = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    + _GAP
    + rb"(?:[A-Z][A-Za-z-]{2,30}: [^\r\n\\]{0,200}"
    + _GAP
    + rb"){0,8}[A-Za-z0-9+/]{32}"
)
