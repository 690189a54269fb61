//! Clients that are not ours: this machine's own kernel, and what people use, against `pagewire` over a cable.
//!
//! Each test has a network namespace of its own, with a TAP in it whose cable ends in a pagewire machine ([`network`]). Where
//! there is no root, all of them run in a user namespace, which a process enters before it has threads: hence a harness
//! of its own. A test is a function, and its name stands in [`main`].
//!
//! Where the kernel allows none of this, the tests say "skipped" and why. With `PAGEWIRE_CLIENTS=required` in the
//! environment that is a failure.

mod abuse;
mod browsers;
mod captures;
mod conditions;
mod kernel;
mod machine;
mod network;
mod refusals;
mod ring;
mod server;

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use pagewire_netns::enter_user_namespace;

/// Trials by the names of their functions.
macro_rules! trials {
    ($($module:ident :: { $($test:ident),* $(,)? }),* $(,)?) => {
        vec![$($(
            Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
                $module::$test();
                Ok(())
            }),
        )*)*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Err(why) = enter_user_namespace()
        .map_err(|why| why.to_string())
        .and_then(|()| network::possible())
    {
        assert_ne!(env::var("PAGEWIRE_CLIENTS").as_deref(), Ok("required"), "{why}");
        println!("skipped: {why}");
        return ExitCode::SUCCESS;
    }
    let trials = trials![kernel::{
        a_file_arrives_at_a_kernel_receiver,
        a_kernel_sender_reaches_us,
        lost_frames_are_made_good_both_ways,
        ipv6_works_both_ways,
        each_answers_the_others_echo_requests,
        a_packet_socket_carries_both_ways,
        packets_that_found_no_slot_are_in_what_the_machine_has_counted,
        a_file_cut_short_under_way_never_arrives_whole,
    },
    captures::{
        a_capture_has_the_whole_conversation_both_ways_and_for_every_nic,
        a_capture_on_a_cable_with_loss_has_what_was_lost_too,
        a_capture_can_be_read_while_the_machine_is_at_work,
    },
    ring::{
        segments_of_64_kib_and_frames_pass_both_ways_in_order_round_both_rings,
        a_segment_passes_an_interface_that_cannot_cut_it,
        a_full_receive_ring_loses_and_says_how_many,
        what_others_send_through_the_same_interface_is_not_heard,
        a_packet_that_the_kernel_refuses_holds_up_none_behind_it,
        what_waits_for_an_interface_that_is_down_is_given_up_and_it_goes_on,
    },
    refusals::{
        a_tap_has_one_owner,
        both_mtus_are_named_where_they_differ,
        what_is_no_tap_or_not_there_is_told_apart,
        a_tap_of_ones_own_has_the_mtu_that_was_asked_for_and_is_on,
        an_interface_that_is_deleted_ends_the_machine,
        nobody_listening_is_a_refusal,
    },
    browsers::{
        curl_gets_files_parts_and_only_what_is_new,
        wget_resumes_and_mirrors_a_tree,
        a_browser_loads_a_page_with_fifty_images,
    },
    conditions::{
        ranges_and_conditions_are_answered_as_nginx_does,
        paths_lead_where_nginx_says,
    },
    abuse::{
        nothing_leads_out_of_the_folder_and_what_is_no_request_is_refused,
        who_reads_nothing_and_who_vanishes_cost_little_and_stop_nobody,
        a_hundred_thousand_syns_from_nowhere_keep_nobody_out,
    }];
    libtest_mimic::run(&arguments, trials).exit_code()
}
