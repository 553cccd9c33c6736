"""Requirements between versions: the decision table, row by row, and old and new mixed."""

from __future__ import annotations

import pytest

from simcore.update.compatibility import (
    ACCEPTED,
    Fit,
    Requirement,
    Software,
    fit_of,
    misfits,
    mixes,
)
from simcore.update.image_format import ImageVersion

V1, V15, V2, V3 = (ImageVersion(1), ImageVersion(1, 5), ImageVersion(2), ImageVersion(3))
NEEDS_2 = Requirement("EMB", V2, V3)


@pytest.mark.parametrize(
    ("version", "below", "fit"),
    [
        (None, V3, Fit.VERSION_UNKNOWN),
        (V1, V3, Fit.TOO_OLD),
        (ImageVersion(1, 255, 65535, 99), V3, Fit.TOO_OLD),
        (V2, V3, Fit.FITS),
        (ImageVersion(2, 255, 65535), V3, Fit.FITS),
        (V3, V3, Fit.TOO_NEW),
        (V3, None, Fit.FITS),
        (None, None, Fit.VERSION_UNKNOWN),
    ],
)
def test_a_version_and_a_range(
    version: ImageVersion | None, below: ImageVersion | None, fit: Fit
) -> None:
    assert fit_of(Requirement("EMB", V2, below), version) is fit


def test_the_decision_is_total_and_only_what_fits_is_accepted() -> None:
    assert set(ACCEPTED) == set(Fit)
    assert [fit for fit, is_accepted in ACCEPTED.items() if is_accepted] == [Fit.FITS]


CDC = Software("CDC", V2, (NEEDS_2,))


@pytest.mark.parametrize(
    ("others", "hardware", "text"),
    [
        ({"A": V2, "B": V2}, {}, None),
        ({"A": V2, "B": V1}, {}, "CDC requires EMB >= 2.0.0 and < 3.0.0: B has 1.0.0"),
        ({"A": V3, "B": V2}, {}, "CDC requires EMB >= 2.0.0 and < 3.0.0: A has 3.0.0"),
        ({}, {}, "CDC requires EMB >= 2.0.0 and < 3.0.0: no such hardware in the vehicle"),
        ({"A": V2}, {"B": "EMB"}, "CDC requires EMB >= 2.0.0 and < 3.0.0: version of B unknown"),
        ({"A": V2}, {"B": "OTHER"}, None),
    ],
)
def test_every_ecu_of_the_demanded_hardware_counts(
    others: dict[str, ImageVersion], hardware: dict[str, str], text: str | None
) -> None:
    software = {"CDC": CDC} | {ecu: Software("EMB", version) for ecu, version in others.items()}
    found = misfits(software, hardware)
    assert [str(each) for each in found] == ([] if text is None else [text])


def test_a_requirement_without_upper_end_says_so() -> None:
    assert str(Requirement("EMB", V2)) == "EMB >= 2.0.0"


def test_all_misfits_are_told_in_the_order_of_the_ecus() -> None:
    mutual = Requirement("CDC", V3)
    software = {
        "CDC": CDC,
        "B": Software("EMB", V1, (mutual,)),
        "A": Software("EMB", V3, (mutual,)),
    }
    assert [(each.ecu_id, each.other_ecu_id, each.fit) for each in misfits(software)] == [
        ("A", "CDC", Fit.TOO_OLD),
        ("B", "CDC", Fit.TOO_OLD),
        ("CDC", "A", Fit.TOO_NEW),
        ("CDC", "B", Fit.TOO_OLD),
    ]


def test_of_all_mixes_on_the_way_only_the_declared_ones_are_compatible() -> None:
    """A controller that is content with old and new actuators makes the actuators' order free."""
    old = {"CDC": Software("CDC", V1, (Requirement("EMB", V1, V2),))}
    new = {"CDC": Software("CDC", V2, (Requirement("EMB", V1, V3),))}
    for ecu in ("FL", "FR"):
        old[ecu] = Software("EMB", V1)
        new[ecu] = Software("EMB", V2, (Requirement("CDC", V2),))
    verdicts = {mix.updated: mix.is_compatible for mix in mixes(old, new)}
    assert len(verdicts) == 8
    assert {updated for updated, is_good in verdicts.items() if is_good} == {
        (),
        ("CDC",),
        ("CDC", "FL"),
        ("CDC", "FR"),
        ("CDC", "FL", "FR"),
    }


def test_a_bundle_that_needs_itself_allows_its_two_ends_only() -> None:
    old = {ecu: Software(ecu, V1) for ecu in ("CDC", "EMB")}
    new = {
        "CDC": Software("CDC", V2, (Requirement("EMB", V2),)),
        "EMB": Software("EMB", V2, (Requirement("CDC", V2),)),
    }
    good = [mix.updated for mix in mixes(old, new) if mix.is_compatible]
    assert good == [(), ("CDC", "EMB")]
