"""Taking the access to every key away, and giving it back: the customer's right at any time (EKM-09, EKM-10).

- Every generation that is not yet released is covered, each with all its replicas in their own Regions: a key
  that stays usable leaves what stands under it readable.
- One way is to disable the keys. The other is to take away what the vendor has: the statements of the key
  policy that allow its account, and every grant to it, by it, or for it to retire. Afterwards the access is
  evaluated: what still allows it is told, not overlooked.
- Each key is done for itself; one that fails does not keep the others from being done.
- A missing or unreadable ledger does not prevent it: the keys are then found by the declaration, its aliases
  and the tenant's tag.
- Giving back enables what must be usable: retired keys stay disabled. What was taken out of a key policy, and
  the customer's own grants, come back from what was saved before; later changes of a policy stay.
- Every step may be done again: a revocation or its undoing that was interrupted is run a second time.
"""

from engine.revocation.access import policy_with, policy_without
from engine.revocation.acts import Done, Way, reinstate_keys, revoke_keys
from engine.revocation.saved import SavedAccess, read_saved, write_saved
from engine.revocation.targets import Found, Target, find_targets

__all__ = [
    "Done",
    "Found",
    "SavedAccess",
    "Target",
    "Way",
    "find_targets",
    "policy_with",
    "policy_without",
    "read_saved",
    "reinstate_keys",
    "revoke_keys",
    "write_saved",
]
