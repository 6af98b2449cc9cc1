"""Metrics of several workers as one exposition that Prometheus can read."""

import itertools

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from understudy.services.expositions import labelled, merged

ODD = 'a{b} "c" \\d\ne,f=g'


def exposition(number):
    """What a worker tells that has counted to `number`."""
    registry = CollectorRegistry()
    plain = Gauge("plain", "No labels, {braces} in its help.", registry=registry)
    plain.set(number)
    odd = Counter("odd", "Strange values.", ["value", "other"], registry=registry)
    odd.labels(ODD, "").inc(number)
    times = Histogram("times", "Buckets.", ["feature"], buckets=(0.1, 1.0), registry=registry)
    times.labels("f").observe(number)
    Gauge(f"only_{number}", "Of this one.", registry=registry).set(1.0)
    return generate_latest(registry)


def samples(text):
    """(name, labels) → value; no sample stands twice, and no family."""
    found, families = {}, []
    for family in text_string_to_metric_families(text.decode()):
        families.append(family.name)
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                place = sample.name, *sorted(sample.labels.items())
                assert place not in found
                found[place] = sample.value
    assert len(families) == len(set(families))
    return found


def test_every_sample_says_whose_it_is_and_says_the_same():
    before = samples(exposition(3))
    after = samples(labelled(exposition(3), 7))
    assert after == {
        (name, *sorted([*labels, ("worker", "7")])): value
        for (name, *labels), value in before.items()
    }
    assert ("odd_total", ("other", ""), ("value", ODD), ("worker", "7")) in after


def test_all_samples_of_all_workers_are_there_with_each_family_once():
    told = [labelled(exposition(number), number) for number in (1, 2, 3)]
    text = merged(told)
    assert samples(text) == {k: v for one in told for k, v in samples(one).items()}
    assert text.count(b"# HELP plain ") == text.count(b"# TYPE plain gauge") == 1
    assert text.endswith(b"\n")
    # A family's lines stand together, as the format has it.
    families = [line.partition(b"{")[0].partition(b"_")[0] for line in text.splitlines()]
    families = [name for name in families if name and not name.startswith(b"#")]
    assert [name for name, _ in itertools.groupby(families)] == list(dict.fromkeys(families))


@pytest.mark.parametrize("told", [[], [b""], [b"", b"\n"]])
def test_who_says_nothing_adds_nothing(told):
    one = labelled(exposition(1), 1)
    assert samples(merged([one, *told])) == samples(one)
