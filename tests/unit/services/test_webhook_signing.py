"""Signatures as the standard and its own libraries have them."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from understudy.core.settings import Secret
from understudy.services.webhook_signing import signatures

# The vector of the standard's own libraries (libraries/go/webhook_symmetric_test.go).
SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = Secret("whsec_" + "b" * 32)
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'


def test_the_standards_vector():
    made = signatures([SECRET], ID, AT, BODY)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_twice_and_either_side_of_the_change_verifies():
    now = int(datetime.now(UTC).timestamp())
    made = signatures([OTHER, SECRET], ID, now, BODY)
    assert len(made.split(" ")) == 2
    headers = {"webhook-id": ID, "webhook-timestamp": str(now), "webhook-signature": made}
    for secret in (SECRET, OTHER):
        assert Webhook(secret.reveal()).verify(BODY, headers) == {"test": 2432232314}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "c" * 32).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET.reveal()).verify(BODY + b" ", headers)
