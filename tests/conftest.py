"""What every test shares: the requirements' bookkeeping, and an environment without AWS settings."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.requirements_plugin", "tests.sandbox_fixtures", "tests.ledger_stores", "tests.telling"]

# No property is a matter of time: a slow machine fails none. In a pipeline the examples are the same at every run, so
# that a change is not failed for what it did not touch; elsewhere they are new each time, and look further.
settings.register_profile(
    "keyturn", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("keyturn")

for _name in [name for name in os.environ if name.startswith(("AWS_", "KEYTURN_"))]:
    if _name not in {"KEYTURN_TERRAFORM_MIRROR", "KEYTURN_PLAN_CORPUS"}:
        del os.environ[_name]
os.environ.pop("CI", None)  # commands ask more of a pipeline; the tests of that set it
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


@pytest.fixture(autouse=True)
def _away_from_the_users_own_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test sees the user's AWS profiles."""
    nowhere = tmp_path_factory.getbasetemp() / "no-aws-settings"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
