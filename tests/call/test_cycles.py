"""The flows of early media, reliable responses, changing sessions and timers leave nothing for the collector either."""

from __future__ import annotations

from pathlib import Path

from tests.call import test_early_media as early
from tests.call import test_hold as hold
from tests.call import test_info as info
from tests.call import test_provisional as provisional
from tests.call import test_reason as reason
from tests.call import test_session_change as change
from tests.call import test_session_timer as timer
from tests.call.world import World, check_no_cycles


def test_no_flow_leaves_a_cycle(tmp_path: Path) -> None:
    flows = [
        early.test_the_caller_hears_what_comes_before_the_answer, early.test_an_announcement_and_then_a_refusal,
        early.test_a_proxy_that_forks_has_several_early_dialogs,
        early.test_the_caller_gives_up_while_it_hears_early_media,
        early.test_of_two_phones_the_first_that_sends_is_heard_and_any_may_answer,
        provisional.test_early_media_is_acknowledged, provisional.test_never_acknowledged_is_the_end,
        provisional.test_the_200_waits_for_the_prack, provisional.test_what_a_phone_says_is_acknowledged_in_order,
        change.test_update_that_holds_is_passed_on_as_update, change.test_early_update_of_the_phone,
        change.test_update_that_holds_is_passed_on_as_reinvite_and_refused,
        change.test_while_we_wait_after_a_glare_the_peer_may_go_first, change.test_hang_up_while_we_wait_after_a_glare,
        change.test_a_trunk_that_asks_for_our_login_at_a_reinvite, change.test_bye_crosses_a_reinvite,
        hold.test_hold_and_its_cancel_cross, info.test_keys_go_by_info_to_who_takes_no_events,
        reason.test_a_bye_that_waits_for_its_ack_keeps_its_reason,
        timer.test_a_caller_that_vanished_in_a_queue_is_found, timer.test_refresh_by_update_where_it_is_allowed,
        timer.test_both_legs_of_a_call_have_a_timer_of_their_own, timer.test_a_caller_that_should_refresh_and_does_not,
    ]  # fmt: skip
    check_no_cycles(World(folder=tmp_path), flows)
