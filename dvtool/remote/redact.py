"""One filter for every text that may hold a secret."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s]*@")
_TELLTALE = (
    "access_key_id|awsaccesskeyid|accesskeyid|secret_access_key|secret|password|passwd|token|session_token|sig|"
    "signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|credential|api_key|apikey|"
    "account_key|accountkey|sas_token|authorization"
)
_NAMED = re.compile(
    rf"(?P<name>(?<![A-Za-z0-9])(?:{_TELLTALE})\s*[=:]\s*)(?:Bearer |Basic )?[^\s&;,'\"]+", re.IGNORECASE
)


def redact(text: str) -> str:
    """*text*, a URL or a message that quotes one, without user names, passwords, tokens and signatures."""
    return _NAMED.sub(r"\g<name>***", _USERINFO.sub(r"\g<scheme>***@", text))
