"""The drill: what really stops working when access to the key is taken away, beside what the seeds promise.

- Every workflow of the catalogue is run: before, while the access is taken away, and after it is given back.
- The promise (EKM-10, EKM-43, EKM-46, EKM-51): a workflow that uses the customer's key fails while that is revoked,
  for the key and for nothing else, and writes nothing; a legal hold download and a workflow that uses no key work
  on; all of them work before and after.
- A workflow that was not run, or that failed for another reason, does not keep the promise.
"""

from engine.drill.model import Drilled, Outcome, Phase, Rehearsed, Way, Work

__all__ = ["Drilled", "Outcome", "Phase", "Rehearsed", "Way", "Work"]
