"""Which addresses a key and personal data may be sent to."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_LOCAL: Final = "localhost"


def refusal(url: str) -> str | None:
    """Why *url* may not be sent to; None when it may: https, or plain http to this machine."""
    if any(c.isspace() or not c.isprintable() for c in url):
        return "has a space or a control character in it"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address of a server"
    if not host:
        return "names no server: give https://<server>"
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or password: the key comes from keys.source"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return None
    if parts.scheme == "http":
        return "is plain http: the key and the data could be read on the way; give https"
    return "must begin with https://"


def _is_loopback(host: str) -> bool:
    if host == _LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
