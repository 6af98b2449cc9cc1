"""Whoever is named is told that a job has ended: signed, at least once, whatever happens."""

import signal

import httpx
import pytest

from support_jobs import ASYNC, BODY, PROMPT, config, defer, events, running
from support_relay import PATIENCE
from support_webhooks import Receiver

SECRET, OLD = "whsec_" + "c" * 32, "whsec_" + "d" * 32
#: Until a lease of somebody who died has run out.
LONG = 45.0


def told_of(stand_in, directory, default=None, **receivers):
    """A configuration with these webhooks by name, one of them the feature's own."""
    hooks = {name: {"url": one.url, "secret": [SECRET, OLD]} for name, one in receivers.items()}
    told = config(stand_in, directory, jobs={"webhooks": hooks})
    if default is not None:
        told["features"]["f"]["webhook"] = default
    return told


@pytest.fixture
def hearing(stand_in, tmp_path):
    """A relay whose feature `f` tells `product`, somebody called `other`, and both of them."""
    with Receiver() as product, Receiver() as other:
        told = told_of(stand_in, tmp_path, "product", product=product, other=other)
        with running(told, tmp_path) as client:
            client.product, client.other = product, other
            yield client


def job_id(location):
    return location.rpartition("/")[2]


def test_a_jobs_end_is_told_with_signatures_that_the_standards_library_verifies(hearing):
    location = defer(hearing, headers={"x-understudy-tenant": "acme"})
    hearing.product.until(lambda told: len(told) == 1)
    (told,) = hearing.product.told
    assert (told.path, told.headers["content-type"]) == ("/hook", "application/json")
    for secret in (SECRET, OLD):
        assert told.verified(secret) == told.said
    job = hearing.get(location, headers={"x-understudy-tenant": "acme"}).json()
    assert told.said == {
        "type": "job.succeeded",
        "timestamp": job["finished_at"],
        "data": {
            "id": job["id"],
            "status": "succeeded",
            "feature": "f",
            "created_at": job["created_at"],
            "finished_at": job["finished_at"],
            "result": f"{location}/result",
            "tenant": "acme",
        },
    }
    assert told.id == job["id"].replace("job_", "msg_")
    # Neither what was asked nor what was answered.
    assert all(word.encode() not in told.body for word in PROMPT.split() if len(word) > 5)


def test_every_end_is_told(hearing, stand_in):
    stand_in.play({"fault": "overloaded"})
    cancelled = defer(hearing)
    assert hearing.delete(cancelled).json()["status"] == "cancelled"
    expired = defer(hearing, headers={"x-understudy-deadline": "1s"})
    assert events(hearing, expired)[-1] == "expired"
    stand_in.play({"fault": "invalid-request"})
    failed = defer(hearing, max_tokens=201)
    assert events(hearing, failed)[-1] == "failed"
    hearing.product.until(lambda told: len(told) == 3)
    ends = {one.said["data"]["id"]: one.said for one in hearing.product.told}
    for location, end, result in (
        (cancelled, "cancelled", None),
        (expired, "expired", None),
        (failed, "failed", f"{failed}/result"),
    ):
        said = ends[job_id(location)]
        assert (said["type"], said["data"]["status"]) == (f"job.{end}", end)
        assert said["data"]["result"] == result
        assert "tenant" not in said["data"]


def test_a_caller_chooses_by_name_and_never_by_address(hearing):
    location = defer(hearing, headers={"x-understudy-webhook": "other"})
    hearing.other.until(lambda told: len(told) == 1)
    assert hearing.other.told[0].said["data"]["id"] == job_id(location)
    assert hearing.product.told == []
    for name in ("prodcut", hearing.other.url, ""):
        headers = {**ASYNC, "x-understudy-webhook": name}
        got = hearing.post("/v1/messages", json=BODY, headers=headers)
        error = got.json()["error"]
        assert (got.status_code, error["understudy"]["code"]) == (400, "unknown_webhook")
        assert error["message"].endswith("There are: product, other.")


def test_what_fails_is_told_again_as_the_same_message_and_no_redirect_is_followed(
    stand_in, tmp_path
):
    with Receiver() as elsewhere:
        away = (307, {"location": elsewhere.url})
        with Receiver(away, (200, {})) as product:
            told = told_of(stand_in, tmp_path, "product", product=product)
            with running(told, tmp_path) as client:
                defer(client)
                product.until(lambda told: len(told) == 2)
                first, second = product.told
                metrics = ""
                while 'result="delivered"' not in metrics:
                    metrics = client.get("/metrics").text
                line = next(one for one in client.relay.events("webhook"))
    assert elsewhere.told == []
    assert (first.id, first.body) == (second.id, second.body)
    at = [int(one.headers["webhook-timestamp"]) for one in (first, second)]
    assert at[0] < at[1]
    assert second.verified(SECRET)
    assert 'understudy_webhook_attempts_total{result="failed",webhook="product"} 1.0' in metrics
    assert (line["result"], line["text"], line["attempts"]) == ("failed", "it answers 307", 1)
    assert 4 <= line["again_in"] <= 6


def test_what_was_not_told_when_the_process_was_killed_is_told_by_the_next(stand_in, tmp_path):
    with Receiver(None) as product:
        told = told_of(stand_in, tmp_path, "product", product=product)
        with running(told, tmp_path) as client:
            location = defer(client)
            # It ended, and whoever is told has not answered yet.
            product.until(lambda told: len(told) == 1)
            assert client.get(location).json()["status"] == "succeeded"
            client.relay.signal(signal.SIGKILL)
            client.relay.ended()
        product.answer((204, {}))
        with running(told, tmp_path) as client:
            product.until(lambda told: len(told) == 2, LONG)
            while "understudy_webhook_undelivered{" in client.get("/metrics").text:
                pass
    first, second = product.told
    assert (first.id, first.body) == (second.id, second.body)
    assert second.verified(SECRET)["data"]["id"] == job_id(location)


def test_who_is_gone_is_told_nothing_more_until_the_settings_are_read_again(stand_in, tmp_path):
    with Receiver((410, {}), (200, {})) as product, Receiver() as other:
        told = told_of(stand_in, tmp_path, "product", product=product, other=other)
        with running(told, tmp_path) as client:
            relay = client.relay
            first = defer(client)
            relay.log.until(lambda line: "wants to be told nothing any more" in line)
            second = defer(client)
            events(client, second)
            defer(client, headers={"x-understudy-webhook": "other"})
            other.until(lambda told: len(told) == 1)
            assert len(product.told) == 1
            relay.signal(signal.SIGHUP)
            product.until(lambda told: len(told) == 3)
    assert [one.said["data"]["id"] for one in product.told] == [
        job_id(first),
        job_id(second),
        job_id(first),
    ]


def test_a_receiver_that_never_answers_holds_up_no_other_and_no_end(stand_in, tmp_path):
    with Receiver(None) as deaf, Receiver() as other:
        told = told_of(stand_in, tmp_path, "deaf", deaf=deaf, other=other)
        with running(told, tmp_path, grace="1s") as client:
            for number in range(12):
                defer(client, max_tokens=300 + number)
            # As many at once as are told at once, and no more.
            deaf.until(lambda told: len(told) == 8)
            defer(client, headers={"x-understudy-webhook": "other"})
            other.until(lambda told: len(told) == 1)
            assert len(deaf.told) == 8
            client.relay.signal(signal.SIGTERM)
            assert client.relay.process.wait(PATIENCE) == 0


def test_nobody_is_told_of_a_request_that_was_no_job(hearing):
    headers = {"x-understudy-webhook": "nobody-of-that-name"}
    assert hearing.post("/v1/messages", json=BODY, headers=headers).status_code == 200
    defer(hearing, headers={"x-understudy-webhook": "other"})
    hearing.other.until(lambda told: len(told) == 1)
    assert hearing.product.told == []


def test_a_webhook_behind_nothing_is_a_failure_like_any_other(stand_in, tmp_path):
    with Receiver() as product:
        told = told_of(stand_in, tmp_path, "product", product=product)
    # Nobody listens there any more.
    with running(told, tmp_path) as client:
        location = defer(client)
        client.relay.log.until(lambda line: '"event": "webhook"' in line)
        (line,) = client.relay.events("webhook")
        assert (line["webhook"], line["job"]) == ("product", job_id(location))
        assert httpx.get(f"{client.base_url}{location}/result").status_code == 200
