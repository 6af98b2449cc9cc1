"""What the file says of jobs as a whole: who is told of them, and how they are kept."""

import pytest

from understudy.config import ConfigError, load
from understudy.core.settings import JobRules

KEY, OTHER = "a" * 43, "b" * 42 + "c="
SECRETS = ["whsec_" + sign * 32 for sign in "cd"]


def text(feature="defer: true", jobs="", store="store: sqlite:///a.db"):
    return f"""
{store}
{f"jobs: {{{jobs}}}" if jobs else ""}
providers: {{l: {{kind: openai-compatible, base_url: "http://localhost:8000/v1"}}}}
features: {{f: {{targets: [l/n], {feature}}}}}
"""


def fault(*words, env=None):
    with pytest.raises(ConfigError) as caught:
        load(text(*words), env or {})
    (found,) = caught.value.faults
    return str(found)


def test_nothing_said_is_a_day_nobody_told_and_a_notice_that_nothing_is_sealed():
    settings = load(text(), {})
    assert settings.jobs == JobRules()
    assert settings.jobs.kept == 86_400
    (notice,) = settings.notices
    assert notice.startswith("jobs.encryption_key: is empty or missing")


@pytest.mark.parametrize(
    ("feature", "jobs"),
    [("defer: false", ""), ("defer: true", f"encryption_key: {KEY}")],
    ids=["no jobs", "sealed"],
)
def test_who_takes_no_jobs_or_seals_them_gets_no_notice(feature, jobs):
    assert load(text(feature, jobs), {}).notices == ()


def test_an_empty_key_is_none():
    settings = load(text(jobs='encryption_key: "${NONE:-}"'), {})
    assert settings.jobs.encryption_key is None
    assert len(settings.notices) == 1


def test_keys_and_webhooks_are_kept_hidden():
    hooks = f"webhooks: {{a: {{url: 'https://a.b/c/', secret: {SECRETS[0]}}}, b: {{url: "
    hooks += f"'http://127.0.0.1:9/h', secret: [{', '.join(SECRETS)}]}}}}"
    jobs = f"kept: 1h, encryption_key: {KEY}, earlier_keys: ['{OTHER}'], {hooks}"
    rules = load(text("defer: true, webhook: b", jobs), {}).jobs
    assert rules.kept == 3600
    assert rules.encryption_key.reveal() == KEY
    assert [key.reveal() for key in rules.earlier_keys] == [OTHER]
    one, two = rules.webhooks.values()
    # As it is: what is asked for with a slash often redirects without one, and is not followed.
    assert (one.name, one.url) == ("a", "https://a.b/c/")
    assert [secret.reveal() for secret in one.secrets] == SECRETS[:1]
    assert [secret.reveal() for secret in two.secrets] == SECRETS
    for hidden in (KEY, OTHER, *SECRETS):
        assert hidden not in repr(rules)


def test_a_feature_names_one_of_the_webhooks():
    hooks = f"webhooks: {{product: {{url: 'https://a.b/c', secret: {SECRETS[0]}}}}}"
    assert load(text("defer: true, webhook: product", hooks), {}).features["f"].webhook == "product"
    said = fault("defer: true, webhook: prodcut", hooks)
    assert said.startswith("features.f.webhook: is none of `jobs.webhooks`")
    assert said.endswith("did you mean `product`?")
    assert fault("defer: true, webhook: product").endswith("there are none here")
    assert "takes none" in fault("webhook: product", hooks)


def test_a_store_that_forgets_is_a_fault_where_jobs_are_taken():
    assert fault("defer: true", "", "store: memory").startswith("features.f.defer: takes jobs")
