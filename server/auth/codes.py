"""The rules of one-time codes (G13), whatever they are sent by.

Six digits, valid for five minutes, burned by five wrong tries; one a minute and ten a day for one address.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.ids import IdSource

DIGITS: Final = 6
LIFETIME: Final = timedelta(minutes=5)
GAP: Final = timedelta(seconds=60)
MOST_TRIES: Final = 5
# With five tries each, fifty guesses: one in 20,000 a day.
MOST_A_DAY: Final = 10


@dataclass(frozen=True)
class Codes:
    """Makes codes, and what is stored of them.

    A plain hash of six digits could be turned back by trying all million: so it is keyed, and bound to its address.
    """

    secret: str
    ids: IdSource

    def new(self) -> str:
        """Return a new random code."""
        return self.ids.digits(DIGITS)

    def hashed(self, address: str, code: str) -> str:
        """Return what is stored of an address's code (64 hexadecimal digits)."""
        return hmac.new(self.secret.encode(), f"code\n{address}\n{code}".encode(), hashlib.sha256).hexdigest()
