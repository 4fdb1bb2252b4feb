"""Texts without credentials: what a user gave to reach a server is never printed, logged or recorded.

Covered are the user and password of an address, parameters of an address that are called password, token, secret or
key, and the values of the variables that MLflow and S3 read. Not covered: a secret that an error repeats in another
spelling.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
HIDDEN = "***"
SHORTEST = 3
"""Letters of a secret that are looked for outside of addresses: a shorter one would be found in any word."""

_IN_ADDRESS = re.compile(r"//[^\s/?#]*@")
_PARAMETER = re.compile(r"([?&;][^=&;\s]*(?:password|passwd|token|secret|key)[^=&;\s]*=)[^&;\s'\"]+", re.IGNORECASE)


def without_secrets(text: object, address: str = "") -> str:
    """The text, with nothing of the credentials of the address, of other addresses in it, or of the environment."""
    said = _PARAMETER.sub(rf"\1{HIDDEN}", _IN_ADDRESS.sub("//", str(text)))
    for secret in sorted(_secrets(address), key=len, reverse=True):
        said = said.replace(secret, HIDDEN)
    return said


def _secrets(address: str) -> set[str]:
    found = {os.environ.get(name, "") for name in VARIABLES}
    for user in _IN_ADDRESS.findall(f"{address} {os.environ.get('MLFLOW_TRACKING_URI', '')}"):
        password = user.removeprefix("//").removesuffix("@").partition(":")[2]
        found |= {password, unquote(password)}
    return {secret for secret in found if len(secret) >= SHORTEST}
