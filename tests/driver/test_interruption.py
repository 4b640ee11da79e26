import os
import signal
import threading

import pytest

from slaf_automl.driver import Interruption


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_the_first_signal_is_a_wish_to_stop(number, word):
    with Interruption() as interruption:
        assert not interruption.stopping()
        os.kill(os.getpid(), number)
        assert interruption.reason == word
        assert interruption.stopping()
        interruption.conclude()
        assert not interruption.abandoning()


def test_a_second_signal_abandons_the_conclusion():
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        interruption.conclude()
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.abandoning()


def test_two_signals_before_the_conclusion_abandon_it_too():
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        interruption.conclude()
        assert interruption.abandoning()


def test_after_a_timeout_one_signal_abandons_the_conclusion():
    with Interruption(timeout=1e-9) as interruption:
        assert interruption.reason == "timeout"
        interruption.conclude()
        assert not interruption.abandoning()
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.abandoning()


def test_the_third_signal_stops_at_once():
    def three() -> None:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)

    with Interruption(), pytest.raises(KeyboardInterrupt):
        three()


def test_the_old_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread_no_handler_is_touched():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def body() -> None:
        with Interruption() as interruption:
            seen.append((signal.getsignal(signal.SIGINT), interruption.reason))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


def test_without_a_timeout_it_never_stops_by_itself():
    assert Interruption().reason is None
    assert Interruption(timeout=1000).reason is None
