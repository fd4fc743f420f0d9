"""Where a key may be sent to."""

import pytest

from pipeline.core.address import refusal


@pytest.mark.parametrize(
    "url",
    [
        "https://cdp.customer.io",
        "https://gateway.example:8443/eu",
        "http://127.0.0.1:8899",
        "http://localhost:1",
        "http://[::1]:8899",
    ],
)
def test_https_and_this_machine_are_fine(url):
    """The sandbox or a gateway could not be used."""
    assert refusal(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://cdp.customer.io", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("https://me:secret@cdp.customer.io", "name or password"),
        ("ftp://cdp.customer.io", "https://"),
        ("cdp.customer.io", "names no server"),
        ("https://a\r\nX-Evil: 1", "control character"),
        ("https://[::1", "no address"),
        ("https://a:b", "no address"),
    ],
)
def test_what_could_be_read_on_the_way_is_refused(url, why):
    """The key would cross a network in the clear, or go where nobody meant it to."""
    assert why in str(refusal(url))
