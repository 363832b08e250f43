"""The rewrap: every data key of a tenant moved to the generation that its rotation goes to.

The order that loses nothing (EKM-33, EKM-34, EKM-35):

1. The intent is in the ledger before the first data key moves: from, to, epoch. From then on new data keys
   go to the new key.
2. Page by page, each data key is re-encrypted inside KMS from its old key to the new one, opened under the
   new key and held against its commitment, copied to the vault's record of it, and only then put in the
   place of exactly the wrapping that it was made from. Until that instant the old wrapping stands, and
   both keys open what is theirs. Where no one credential may use both keys, the data key is decrypted with
   one and encrypted with the other.
3. A data key that cannot be moved is set aside with the reason, and does not stop the rest; it keeps the
   rotation open, and a resumed run tries it again. So is one whose record names another key than the
   ledger's for its generation, without a call, and one whose key AWS KMS does not have any more.
4. Where an old key is revoked or denied, what stands under it is left, what stands under others goes on,
   and the run ends with that error. An outage that lasts, or a trouble of the new key, ends the run at
   once. What is done stays done.
5. When the census shows nothing left under an older key, the move's end is recorded.
6. A worker of a move that was superseded changes nothing more.

Several workers, in as many processes or machines, may work on one move: each takes slices of it in an order
of its own, so that little is done twice. A repeated ReEncrypt is harmless; two workers on one data key end
with the wrapping of one of them.
"""

from engine.rotation.job import KeyRecords
from engine.rotation.report import Progress, RewrapReport, SetAside
from engine.rotation.rewrap import Rewrap

__all__ = ["KeyRecords", "Progress", "Rewrap", "RewrapReport", "SetAside"]
