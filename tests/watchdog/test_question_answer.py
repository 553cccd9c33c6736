"""Question and answer: all 16 published answers, both ways to ask, windows to the nanosecond."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.watchdog.device import NEVER_NS, Verdict
from simcore.watchdog.question_answer import (
    IGNORED,
    RESPONSES,
    TRANSITIONS,
    Dialogue,
    DialogueEvent,
    DialogueSettings,
    DialogueState,
    following,
    next_state,
    response,
)

PUBLISHED = {
    0x0: 0xFF0FF000, 0x1: 0xB040BF4F, 0x2: 0xE919E616, 0x3: 0xA656A959,
    0x4: 0x75857A8A, 0x5: 0x3ACA35C5, 0x6: 0x63936C9C, 0x7: 0x2CDC23D3,
    0x8: 0xD222DD2D, 0x9: 0x9D6D9262, 0xA: 0xC434CB3B, 0xB: 0x8B7B8474,
    0xC: 0x58A857A7, 0xD: 0x17E718E8, 0xE: 0x4EBE41B1, 0xF: 0x01F10EFE,
}  # fmt: skip
"""RESP3 RESP2 RESP1 RESP0, from the highest byte to the lowest."""

WINDOWS = DialogueSettings(first_ns=1000, window_1_ns=50, window_2_ns=80)
HEARTBEAT = DialogueSettings(first_ns=1000, window_1_ns=0, window_2_ns=80)


@pytest.mark.parametrize(("question", "answers"), PUBLISHED.items())
def test_the_linear_form_gives_all_published_answers(question: int, answers: int) -> None:
    expected = tuple(answers >> 8 * index & 0xFF for index in range(4))
    assert tuple(response(question, index) for index in range(4)) == expected
    assert RESPONSES[question] == expected


def test_no_answer_serves_two_questions() -> None:
    assert len(set(RESPONSES)) == 16
    for index in range(4):
        assert len({answers[index] for answers in RESPONSES}) == 16


@pytest.mark.parametrize(
    ("question", "index", "text"),
    [
        (16, 0, "response, question: expected a whole number 0..15, got 16"),
        (-1, 0, "response, question: expected a whole number 0..15, got -1"),
        (0, 4, "response, index: expected a whole number 0..3, got 4"),
    ],
)
def test_what_is_no_question_is_refused(question: int, index: int, text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}$"):
        response(question, index)


def test_every_question_comes_once_in_sixteen() -> None:
    question, seen = 0, []
    for _ in range(16):
        seen.append(question)
        question = following(question)
    assert question == 0
    assert sorted(seen) == list(range(16))


def test_the_table_is_total() -> None:
    pairs = {(state, event) for state in DialogueState for event in DialogueEvent}
    assert TRANSITIONS.keys() | IGNORED == pairs
    assert not TRANSITIONS.keys() & IGNORED
    for state, event in pairs:
        expected = state if (state, event) in IGNORED else TRANSITIONS[state, event]
        assert next_state(state, event) is expected


def running(settings: DialogueSettings) -> Dialogue:
    """One that has been answered well once, at 1000: its second sequence begins there."""
    dialogue = Dialogue(settings)
    dialogue.start(500)
    assert give(dialogue, [(500, 3), (900, 2), (900, 1), (1000, 0)]) is Verdict.GOOD
    return dialogue


def give(dialogue: Dialogue, answers: list[tuple[int, int]]) -> Verdict | None:
    """Right answers by time and index; the last verdict."""
    verdict = None
    for now_ns, index in answers:
        assert dialogue.register == dialogue.index << 4 | dialogue.question
        assert dialogue.index == index
        verdict = dialogue.answer(RESPONSES[dialogue.question][index], now_ns)
    return verdict


def test_in_the_first_window_time_does_not_matter() -> None:
    dialogue = Dialogue(WINDOWS)
    dialogue.start(500)
    assert (dialogue.state, dialogue.deadline_ns) == (DialogueState.FIRST, 1500)
    assert give(dialogue, [(500, 3), (501, 2), (1499, 1), (1499, 0)]) is Verdict.GOOD
    assert dialogue.deadline_ns == 1499 + 130
    assert dialogue.question == following(0)


def test_a_first_window_that_passes_is_bad() -> None:
    dialogue = Dialogue(WINDOWS)
    dialogue.start(500)
    assert dialogue.expire() is Verdict.ANSWER_MISSING
    assert (dialogue.state, dialogue.deadline_ns) == (DialogueState.WINDOW_1, 1500 + 130)


@pytest.mark.parametrize(
    ("third_ns", "last_ns", "verdict"),
    [
        (1000, 1050, Verdict.GOOD),
        (1049, 1129, Verdict.GOOD),
        (1050, 1100, Verdict.ANSWER_LATE),
        (1010, 1049, Verdict.ANSWER_EARLY),
        (1000, 1000, Verdict.ANSWER_EARLY),
    ],
)
def test_three_answers_belong_into_window_1_and_the_last_into_window_2(
    third_ns: int, last_ns: int, verdict: Verdict
) -> None:
    dialogue = running(WINDOWS)
    question = dialogue.question
    answers = [(1000, 3), (third_ns, 2), (third_ns, 1), (last_ns, 0)]
    assert give(dialogue, answers) is verdict
    assert dialogue.index == 3
    assert dialogue.deadline_ns == last_ns + 130  # begins anew after the fourth answer
    good = verdict is Verdict.GOOD
    assert dialogue.question == (following(question) if good else question)


@pytest.mark.parametrize("given_count", [0, 1, 2, 3])
def test_a_sequence_without_its_last_answer_ends_with_window_2_and_keeps_the_question(
    given_count: int,
) -> None:
    dialogue = running(WINDOWS)
    question = dialogue.question
    give(dialogue, [(1000, 3), (1010, 2), (1020, 1)][:given_count])
    assert dialogue.deadline_ns == 1130
    assert dialogue.expire() is Verdict.ANSWER_MISSING
    assert (dialogue.index, dialogue.question) == (3, question)
    assert dialogue.deadline_ns == 1260
    assert give(dialogue, [(1130, 3), (1130, 2), (1179, 1), (1180, 0)]) is Verdict.GOOD


@pytest.mark.parametrize("settings", [WINDOWS, HEARTBEAT])
@pytest.mark.parametrize("wrong", [3, 2, 1, 0])
def test_any_wrong_bit_of_any_answer_makes_the_sequence_bad(
    settings: DialogueSettings, wrong: int
) -> None:
    for bit in range(8):
        dialogue = running(settings)
        question = dialogue.question
        verdict = None
        for index in (3, 2, 1, 0):
            value = RESPONSES[question][index] ^ (1 << bit if index == wrong else 0)
            verdict = dialogue.answer(value, 1000 if index else 1060)
            assert (verdict is None) is (index > 0)
        assert verdict is Verdict.ANSWER_WRONG
        assert dialogue.question == question


def test_a_wrong_answer_counts_as_wrong_even_where_the_rest_is_missing() -> None:
    dialogue = running(WINDOWS)
    dialogue.answer(RESPONSES[dialogue.question][3] ^ 1, 1000)
    assert dialogue.expire() is Verdict.ANSWER_WRONG
    assert dialogue.expire() is Verdict.ANSWER_MISSING


@pytest.mark.parametrize("last_ns", [1000, 1079])
def test_against_a_heartbeat_all_four_may_come_at_any_time_of_it(last_ns: int) -> None:
    dialogue = running(HEARTBEAT)
    assert dialogue.deadline_ns == 1080
    assert give(dialogue, [(1000, 3), (1000, 2), (last_ns, 1), (last_ns, 0)]) is Verdict.GOOD
    assert dialogue.deadline_ns == last_ns + 80


def test_a_heartbeat_without_the_fourth_answer_is_bad() -> None:
    dialogue = running(HEARTBEAT)
    give(dialogue, [(1000, 3), (1000, 2), (1000, 1)])
    assert dialogue.expire() is Verdict.ANSWER_MISSING
    assert (dialogue.index, dialogue.deadline_ns) == (3, 1160)


def test_nobody_asks_while_it_is_halted() -> None:
    dialogue = Dialogue(WINDOWS)
    for _ in range(5):
        assert dialogue.answer(0xFF, 10) is None
    assert (dialogue.expire(), dialogue.deadline_ns) == (None, NEVER_NS)
    dialogue.start(20)
    assert give(dialogue, [(20, 3), (20, 2), (20, 1), (20, 0)]) is Verdict.GOOD
    dialogue.halt()
    assert (dialogue.answer(0, 30), dialogue.deadline_ns) == (None, NEVER_NS)


@pytest.mark.parametrize("value", [-1, 256, 1.0, True, "A"])
def test_what_is_no_byte_is_refused(value: int) -> None:
    with pytest.raises(
        UsageError, match=r"^answer to the watchdog: expected a whole number 0\.\.255, got "
    ):
        running(WINDOWS).answer(value, 1000)


class Model:
    """The same from the list of all answers of a sequence, judged in one go."""

    def __init__(self, settings: DialogueSettings) -> None:
        self.settings = settings
        self.begun_ns, self.first, self.question = 0, True, 0
        self.given: list[tuple[int, int]] = []

    @property
    def ends_ns(self) -> int:
        s = self.settings
        return self.begun_ns + (s.first_ns if self.first else s.window_1_ns + s.window_2_ns)

    def judged(self) -> Verdict:
        window_1_ends_ns = self.begun_ns + self.settings.window_1_ns
        timed = self.settings.window_1_ns > 0 and not self.first
        for place, (now_ns, value) in enumerate(self.given):
            if value != PUBLISHED[self.question] >> 8 * (3 - place) & 0xFF:
                return Verdict.ANSWER_WRONG
            if timed and place < 3 and now_ns >= window_1_ends_ns:
                return Verdict.ANSWER_LATE
            if timed and place == 3 and now_ns < window_1_ends_ns:
                return Verdict.ANSWER_EARLY
        return Verdict.GOOD if len(self.given) == 4 else Verdict.ANSWER_MISSING

    def close(self, now_ns: int) -> Verdict:
        verdict = self.judged()
        if verdict is Verdict.GOOD:
            self.question = (5 * self.question + 3) % 16
        self.begun_ns, self.first, self.given = now_ns, False, []
        return verdict


@given(
    window_1_ns=st.sampled_from([0, 1, 20]),
    window_2_ns=st.integers(1, 40),
    first_ns=st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(0, 45), st.integers(0, 9)), max_size=80),
)
def test_it_walks_as_a_model_that_judges_whole_sequences_does(
    window_1_ns: int, window_2_ns: int, first_ns: int, steps: list[tuple[int, int]]
) -> None:
    settings = DialogueSettings(first_ns=first_ns, window_1_ns=window_1_ns, window_2_ns=window_2_ns)
    dialogue, model, now_ns = Dialogue(settings), Model(settings), 0
    dialogue.start(0)
    for wait_ns, flaw in steps:
        now_ns += wait_ns // 4 if flaw else wait_ns
        while dialogue.deadline_ns <= now_ns:
            assert dialogue.deadline_ns == model.ends_ns
            due_ns = model.ends_ns
            assert dialogue.expire() is model.close(due_ns)
        value = RESPONSES[dialogue.question][dialogue.index] ^ (flaw == 1)
        model.given.append((now_ns, value))
        verdict = dialogue.answer(value, now_ns)
        assert verdict is (model.close(now_ns) if len(model.given) == 4 else None)
        assert dialogue.question == model.question


def test_a_copy_and_a_pickle_go_on_alike() -> None:
    dialogue = running(WINDOWS)
    give(dialogue, [(1000, 3), (1000, 2)])
    for twin in (copy.deepcopy(dialogue), pickle.loads(pickle.dumps(dialogue))):
        assert give(twin, [(1000, 1), (1050, 0)]) is Verdict.GOOD
    assert dialogue.index == 1


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"first_ns": 0}, "first_ns: expected a whole number >= 1, got 0"),
        ({"window_1_ns": -1}, "window_1_ns: expected a whole number >= 0, got -1"),
        ({"window_2_ns": 0}, "window_2_ns: expected a whole number >= 1, got 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int], text: str) -> None:
    right = {"first_ns": 1, "window_1_ns": 1, "window_2_ns": 1}
    with pytest.raises(UsageError, match=rf"^DialogueSettings, {text}$"):
        DialogueSettings(**{**right, **wrong})
