"""The page that people see: what works, what does not, and nothing that is nobody's business."""

import httpx
import pytest

from support_relay import PATIENCE, Relay, StandIn, anthropic_provider, openai_provider

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
KEY = "caller-key-of-the-page-01"
PROMPT = "The canary Xylophonia sings of zanzibar-7731 at dawn."


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The web listener's client, after a failover, a failure and a success."""
    with StandIn() as stand_in:
        stand_in.play({"fault": "key_revoked", "key": "-ill"})
        url = stand_in.url
        config = {
            "providers": {
                "ill": anthropic_provider(url, "sk-secret-ill"),
                "gpt": openai_provider(url, "sk-secret-gpt"),
            },
            "features": {
                "helper": {
                    "title": "Helper <b>& friends</b>",
                    "targets": [f"ill/{CLAUDE}", f"gpt/{GPT}"],
                },
                "summary": {"title": "Summaries", "targets": [f"gpt/{GPT}"]},
                "lost": {"title": "Lost", "targets": [f"ill/{CLAUDE}"]},
            },
            "callers": [{"name": "secret-caller", "key": KEY, "tenant": "secret-tenant"}],
        }
        with (
            Relay(config, tmp_path_factory.mktemp("page")) as relay,
            httpx.Client(base_url=relay.web, timeout=PATIENCE) as client,
        ):
            assert "None yet" in client.get("/").text
            for feature, status in (("helper", 200), ("lost", 503), ("summary", 200)):
                body = {"model": feature, "messages": [{"role": "user", "content": PROMPT}]}
                headers = {"x-api-key": KEY, "x-understudy-user": "secret-user"}
                url = f"{relay.url}/v1/chat/completions"
                got = httpx.post(url, json=body, headers=headers, timeout=PATIENCE)
                assert got.status_code == status
            yield client


@pytest.fixture(scope="module")
def page(site):
    got = site.get("/")
    assert got.status_code == 200
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    return got


def section(page, title):
    """The part of the page about one feature."""
    return page.text.partition(f'aria-label="{title}"')[2].partition("</section>")[0]


def test_it_says_of_each_feature_what_serves_it_now(page):
    assert f"served by gpt@main/{GPT} instead" in section(
        page, "Helper &lt;b&gt;&amp; friends&lt;/b&gt;"
    )
    assert f"served by gpt@main/{GPT}<" in section(page, "Summaries")
    assert "cannot be served now" in section(page, "Lost")


def test_it_says_of_each_target_why_it_is_left_alone(page):
    lost = section(page, "Lost")
    assert f"ill@main/{CLAUDE}" in lost
    assert "account, next try in" in lost


def test_it_shows_the_last_requests_newest_first(page):
    rows = page.text.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")
    assert [
        next(name for name in ("summary", "lost", "helper") if f"<td>{name}</td>" in row)
        for row in rows[:3]
    ] == ["summary", "lost", "helper"]
    assert "answered" in rows[0]
    assert "failed" in rows[1]
    assert f"ill/{CLAUDE}: account" in rows[2]
    assert f"gpt/{GPT}: content" in rows[2]


def test_a_title_is_text_and_not_markup(page):
    assert "<b>& friends" not in page.text


def test_nobody_and_nothing_private_is_on_it(page):
    for private in ("secret", KEY, "Xylophonia", "zanzibar", "sk-"):
        assert private not in page.text


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_it_can_do_nothing_but_be_read(site, path):
    headers = site.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_it_loads_nothing_from_anywhere(page):
    for sign in ("<script", "src=", "<link", "@import", "url("):
        assert sign not in page.text


def test_head_has_the_headers_and_no_body(site, page):
    got = site.head("/")
    assert (got.status_code, got.content) == (200, b"")
    assert "text/html" in got.headers["content-type"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/models", "/metrics", "/../etc/passwd", "/index.html"]
)
def test_what_is_not_there_is_404(site, path):
    assert site.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_is_not_written_to(site, method):
    assert site.request(method, "/").status_code == 405
