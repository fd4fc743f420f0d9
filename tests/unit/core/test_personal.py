"""What looks like personal data, and what does not."""

import pytest

from pipeline.core.personal import is_declared, is_named_so, kinds_of


@pytest.mark.parametrize("name", ["email", "billing_email", "customerEmail", "phone", "firstName"])
def test_names_that_say_it(name):
    """A property that is named as personal data is would go out unnoticed."""
    assert is_named_so(name)


@pytest.mark.parametrize("name", ["emailed", "phoneme", "order_id", "product_name"])
def test_names_that_only_sound_like_it(name):
    """A check that cries for order numbers is switched off."""
    assert not is_named_so(name)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("write to ann@example.com.", "an e-mail address"),
        ("+44 20 7946 0018", "a phone number"),
        ("DE89370400440532013000", "an IBAN"),
        ("from 192.168.0.1 today", "an IP address"),
    ],
)
def test_values(value, kind):
    """Personal data in a property with a harmless name would go out unnoticed."""
    assert kinds_of(value) == (kind,)


@pytest.mark.parametrize("value", ["1.2.3", "2026-01-02T03:04:05.000Z", "51380041013", "a@b"])
def test_values_of_other_kinds(value):
    """Versions, times and article numbers are no personal data."""
    assert kinds_of(value) == ()


def test_declared_is_a_property_and_what_is_in_it():
    """What the feed's author meant to send needs no warning, but only that."""
    assert is_declared("properties.who.email", ["properties.who"])
    assert not is_declared("properties.whole", ["properties.who"])
