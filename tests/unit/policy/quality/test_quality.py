"""When a model is doubted for what it writes, for how long, and what does not make it doubted."""

import random

import pytest

from understudy.core.faults import OUTAGE_LIKE, Kind
from understudy.policy.causes import CauseKind
from understudy.policy.quality import Event, Quality, Sign, Signs
from understudy.policy.quality.quality import (
    ACCEPTED_SECONDS,
    PAIRS_KEPT,
    PROBE,
    TRIAL_SECONDS,
)

MODEL, OTHER = "anthropic/claude-sonnet-5", "openai/gpt-5.2"
THAI = Signs(scripts=frozenset({"THAI"}))
PLAIN = Signs(scripts=frozenset())

#: Sign → (an answer with it, one without).
SHOWN = {
    Sign.SCRIPT: (THAI, PLAIN),
    Sign.LOOP: (Signs(loops=True), Signs(loops=False)),
    Sign.STRUCTURE: (Signs(breaks_structure=True), Signs(breaks_structure=False)),
    Sign.DECLINED: (Signs(declines=True), Signs(declines=False)),
    Sign.CANARY: (Signs(lacks_word=True), Signs(lacks_word=False)),
}


class Product:
    """What calls models. A second between its answers."""

    def __init__(self):
        self.quality = Quality()
        self.now = 0.0
        self.draw = random.Random(7)

    def sample(self, signs, times=1, *, model=MODEL, feature="assistant", who=None):
        for _ in range(times):
            self.now += 1.0
            self.quality.sampled(model, feature, signs, self.now, who)

    def mixed(self, sign, share, times, **where):
        bad, good = SHOWN[sign]
        for _ in range(times):
            self.sample(bad if self.draw.random() < share else good, **where)

    def counted(self, sign, share, times, *, model=MODEL, feature="assistant", who=None):
        for _ in range(times):
            self.now += 1.0
            if self.draw.random() < share:
                self.quality.showed(model, feature, sign, self.now, who)
            else:
                self.quality.answered(model, feature)
            self.quality.settle(self.now)

    def lengths(self, median, times, **where):
        for _ in range(times):
            self.sample(Signs(length=int(median * self.draw.lognormvariate(0.0, 0.5))), **where)

    def is_doubted(self, model=MODEL):
        return model in self.quality.doubted


@pytest.fixture
def product():
    return Product()


class TestDoubt:
    @pytest.mark.parametrize("sign", SHOWN, ids=lambda sign: sign.name)
    def test_a_sign_that_becomes_frequent_is_a_reason_for_doubt(self, product, sign):
        product.mixed(sign, 0.005, 500)
        assert not product.quality.doubted
        product.mixed(sign, 0.2, 150)
        assert str(sign) in product.quality.doubted[MODEL]

    @pytest.mark.parametrize("sign", [Sign.REFUSED, Sign.EMPTY], ids=lambda sign: sign.name)
    def test_so_is_what_is_counted_of_every_attempt(self, product, sign):
        product.counted(sign, 0.02, 1000)
        assert not product.quality.doubted
        product.counted(sign, 0.2, 300)
        assert str(sign) in product.quality.doubted[MODEL]

    @pytest.mark.parametrize(("times", "word"), [(0.5, "brevity"), (2.0, "length")])
    def test_so_is_a_shift_of_length(self, product, times, word):
        product.lengths(1000, 500)
        assert not product.quality.doubted
        product.lengths(1000 * times, 200)
        assert word in product.quality.doubted[MODEL]

    def test_one_bad_answer_is_none(self, product):
        product.sample(PLAIN, 500)
        product.sample(THAI, 2)
        assert not product.quality.doubted

    def test_it_is_said_in_words_with_numbers(self, product):
        product.sample(PLAIN, 500)
        product.sample(THAI, 10)
        assert product.quality.doubted[MODEL].startswith("letters of a foreign script in ")
        assert "usually in 0." in product.quality.doubted[MODEL]

    def test_accounts_of_a_model_are_one_and_other_models_are_not_concerned(self, product):
        product.sample(PLAIN, 500)
        product.sample(PLAIN, 500, model=OTHER)
        product.sample(THAI, 20)
        assert list(product.quality.doubted) == [MODEL]

    def test_features_add_up(self, product):
        names = [f"f{n}" for n in range(12)]
        for name in names:
            product.sample(PLAIN, 60, feature=name)
        for name in names:
            product.sample(THAI, feature=name)
        assert product.is_doubted()


class TestWhatIsUsual:
    @pytest.mark.parametrize("sign", SHOWN, ids=lambda sign: sign.name)
    @pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
    def test_what_always_was_so_is_no_reason(self, product, sign, share):
        product.mixed(sign, share, 3000)
        assert not product.quality.doubted

    def test_a_model_that_refuses_one_in_twenty_may(self, product):
        product.counted(Sign.REFUSED, 0.05, 5000)
        assert not product.quality.doubted

    def test_each_feature_is_its_own_measure(self, product):
        for _ in range(500):
            product.sample(THAI, feature="translate")
            product.sample(PLAIN, feature="assistant")
        product.sample(THAI, 100, feature="translate")
        assert not product.quality.doubted
        product.sample(THAI, 15, feature="assistant")
        assert product.is_doubted()

    def test_a_new_script_is_foreign_to_a_feature_with_another_one(self, product):
        product.sample(THAI, 300)
        product.sample(Signs(scripts=frozenset({"THAI", "CJK"})), 20)
        assert product.is_doubted()

    def test_a_model_just_taken_into_use_is_taken_as_it_is(self, product):
        product.sample(PLAIN, 500, model=OTHER)
        product.mixed(Sign.DECLINED, 0.4, 300)
        assert not product.quality.doubted


class TestOneRequester:
    def test_one_of_several_is_not_enough(self, product):
        for who in ("ann", "bob", "cy"):
            product.counted(Sign.REFUSED, 0.0, 300, who=who)
            product.sample(Signs(declines=False), 100, who=who)
        product.counted(Sign.REFUSED, 1.0, 100, who="ann")
        product.sample(Signs(declines=True), 100, who="ann")
        assert not product.quality.doubted

    def test_several_are(self, product):
        for who in ("ann", "bob", "cy"):
            product.sample(PLAIN, 200, who=who)
        for who in ("ann", "bob", "cy"):
            product.sample(THAI, 5, who=who)
        assert product.is_doubted()

    def test_the_only_one_is(self, product):
        product.sample(PLAIN, 200, who="ann")
        product.sample(THAI, 15, who="ann")
        assert product.is_doubted()


@pytest.fixture
def doubted(product):
    product.sample(PLAIN, 500)
    product.sample(THAI, 15)
    assert product.is_doubted()
    return product


class TestRecovery:
    def test_a_model_is_cleared_by_answers_that_are_as_they_were(self, doubted):
        doubted.sample(PLAIN, 5)
        assert doubted.is_doubted()
        doubted.sample(PLAIN, 100)
        assert not doubted.quality.doubted

    def test_it_is_not_while_it_goes_on(self, doubted):
        doubted.mixed(Sign.SCRIPT, 0.5, 500)
        assert doubted.is_doubted()

    def test_what_went_on_does_not_become_usual(self, doubted):
        doubted.mixed(Sign.SCRIPT, 0.3, 3000)
        doubted.sample(PLAIN, 200)
        doubted.sample(THAI, 15)
        assert doubted.is_doubted()

    def test_a_trial_is_due_now_and_then(self, doubted):
        quality, now = doubted.quality, doubted.now
        assert quality.doubt(MODEL, now + 1.0) == quality.doubted[MODEL]
        assert quality.doubt(MODEL, now + TRIAL_SECONDS) is None
        quality.began(MODEL, now + TRIAL_SECONDS)
        assert quality.doubt(MODEL, now + TRIAL_SECONDS + 1.0) is not None
        assert quality.doubt(MODEL, now + 2.0 * TRIAL_SECONDS) is None

    def test_calls_that_come_anyway_put_no_trial_off(self, doubted):
        quality, now = doubted.quality, doubted.now
        quality.began(MODEL, now + 1.0)
        assert quality.doubt(MODEL, now + TRIAL_SECONDS) is None

    def test_nobody_else_is_doubted(self, doubted):
        assert doubted.quality.doubt(OTHER, doubted.now) is None

    def test_length_recovers_too(self, product):
        product.lengths(1000, 500)
        product.lengths(400, 100)
        assert product.is_doubted()
        product.lengths(1000, 200)
        assert not product.quality.doubted

    def test_after_a_day_it_is_taken_for_usual(self, doubted):
        doubted.now += ACCEPTED_SECONDS
        doubted.quality.settle(doubted.now)
        assert not doubted.quality.doubted
        assert [one.event for one in doubted.quality.changes()] == [Event.DOUBTED, Event.ACCEPTED]
        doubted.mixed(Sign.SCRIPT, 0.5, 500)
        assert not doubted.quality.doubted

    def test_somebody_may_accept_it_at_once(self, doubted):
        assert doubted.quality.accept(MODEL, doubted.now)
        assert not doubted.quality.doubted
        assert not doubted.quality.accept(MODEL, doubted.now)
        assert not doubted.quality.accept("nobody/knows", doubted.now)
        doubted.mixed(Sign.SCRIPT, 0.5, 500)
        assert not doubted.quality.doubted


class TestWhatIsTold:
    def test_each_change_is_told_once(self, doubted):
        doubted.sample(PLAIN, 200)
        changes = doubted.quality.changes()
        assert [(one.model, one.sign, one.event) for one in changes] == [
            (MODEL, Sign.SCRIPT, Event.DOUBTED),
            (MODEL, Sign.SCRIPT, Event.RECOVERED),
        ]
        assert not doubted.quality.changes()

    def test_it_is_a_cause_of_its_own_with_what_speaks_for_and_against_it(self, doubted):
        (cause,) = doubted.quality.causes(doubted.now)
        assert cause.kind is CauseKind.DEGRADED_QUALITY
        assert cause.node == MODEL
        assert cause.share > 0.9
        assert "letters of a foreign script" in cause.evidence_for[0]

    def test_while_all_is_well_there_is_none(self, product):
        product.sample(PLAIN, 500)
        assert product.quality.causes(product.now) == []

    def test_its_share_falls_while_it_recovers(self, doubted):
        (before,) = doubted.quality.causes(doubted.now)
        doubted.sample(PLAIN, 5)
        (after,) = doubted.quality.causes(doubted.now)
        assert after.share < before.share
        assert any("latest answers" in line for line in after.evidence_against)

    def test_a_feature_is_named_where_it_is_the_only_one_of_several(self, product):
        for feature in ("assistant", "summaries"):
            product.sample(PLAIN, 300, feature=feature)
        product.sample(THAI, 15, feature="summaries")
        (cause,) = product.quality.causes(product.now)
        assert cause.about == "summaries"

    def test_other_models_that_show_the_same_speak_against_it(self, product):
        for model in (MODEL, OTHER):
            product.sample(PLAIN, 500, model=model)
        for model in (MODEL, OTHER):
            product.sample(THAI, 15, model=model)
        causes = product.quality.causes(product.now)
        assert [cause.node for cause in causes] == [MODEL, OTHER]
        assert all("what is asked may have changed" in c.evidence_against[0] for c in causes)
        assert all(OTHER in c.evidence_against[0] for c in causes if c.node == MODEL)

    def test_the_view_tells_of_every_model(self, doubted):
        doubted.sample(PLAIN, 2, model=OTHER)
        one, other = doubted.quality.views(doubted.now)
        assert (one.model, other.model) == (MODEL, OTHER)
        assert one.reason == doubted.quality.doubted[MODEL]
        assert one.doubted_for is not None
        assert one.samples == 515
        assert 0.0 < one.trial_in < TRIAL_SECONDS
        (sign,) = one.signs
        assert (sign.sign, sign.doubted, sign.answers, sign.shown) == (
            str(Sign.SCRIPT),
            True,
            515,
            15,
        )
        assert other.reason is other.trial_in is None


class TestEagerness:
    def test_what_is_little_known_is_worth_a_look(self, product):
        assert product.quality.is_keen(MODEL, "assistant")
        product.sample(PLAIN, 100)
        assert not product.quality.is_keen(MODEL, "assistant")
        assert product.quality.is_keen(MODEL, "summaries")

    def test_so_is_what_is_under_suspicion_or_in_doubt(self, product):
        product.sample(PLAIN, 500)
        product.sample(THAI, 2)
        assert product.quality.is_keen(MODEL, "assistant")
        product.sample(THAI, 20)
        assert product.is_doubted()
        assert product.quality.is_keen(MODEL, "assistant")


def test_probes_are_a_feature_of_their_own(product):
    product.sample(Signs(scripts=frozenset(), lacks_word=False), 50, feature=PROBE)
    product.sample(PLAIN, 50)
    product.sample(Signs(scripts=frozenset(), lacks_word=True), 10, feature=PROBE)
    (cause,) = product.quality.causes(product.now)
    assert "a wrong word" in cause.evidence_for[0]


def test_nothing_here_speaks_for_an_outage():
    """It lowers preference; what gives a target up is another's affair."""
    assert not {Kind.DEGRADED, Kind.REFUSED} & OUTAGE_LIKE


def test_callers_who_name_models_do_not_fill_the_memory(doubted):
    for n in range(2 * PAIRS_KEPT):
        doubted.sample(PLAIN, model=f"openai/made-up-{n}")
    assert len(doubted.quality.views(doubted.now)) <= PAIRS_KEPT + 1
    assert doubted.is_doubted()
