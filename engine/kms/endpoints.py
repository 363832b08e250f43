"""Whether calls go to AWS itself, by the host that they go to."""

from __future__ import annotations

from urllib.parse import urlsplit

_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn", ".amazonaws.eu")


def is_aws_endpoint(url: str) -> bool:
    """Whether a URL is one of AWS's own endpoints; everything else proves nothing about AWS."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and (parts.hostname or "").endswith(_AWS_DOMAINS)
