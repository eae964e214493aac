//! Gestures by events and a clock that the test moves; properties over any sequence of edges.

use super::*;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn rules(long: bool, double: bool, cooldown_ms: u64) -> GestureRules {
    GestureRules {
        presses: true,
        long,
        double,
        cooldown_ns: cooldown_ms * MS,
        stops_after_ns: None,
        late_ns: LATE_NS,
    }
}

fn press(at_ms: u64) -> Action {
    Action::Press {
        at_mono_ns: at_ms * MS,
        undecided: false,
    }
}

fn undecided(at_ms: u64) -> Action {
    Action::Press {
        at_mono_ns: at_ms * MS,
        undecided: true,
    }
}

fn decide(at_ms: u64, gesture: Gesture) -> Action {
    Action::Decide {
        at_mono_ns: at_ms * MS,
        gesture,
    }
}

fn again(at_ms: u64, of_ms: u64) -> Action {
    Action::Again {
        at_mono_ns: at_ms * MS,
        of_mono_ns: of_ms * MS,
    }
}

/// A button that is pressed and let go at these times.
fn played(rules: GestureRules, edges: &[(u64, bool)], until_ms: u64) -> Vec<Action> {
    let mut machine = Machine::new(rules);
    let mut actions = Vec::new();
    for (at_ms, held) in edges {
        actions.extend(machine.edge(*held, at_ms * MS));
    }
    actions.extend(machine.passed(until_ms * MS + LATE_NS));
    actions
}

#[test]
fn with_one_window_each_edge_outside_the_cooldown_is_a_press_at_once() {
    let mut machine = Machine::new(rules(false, false, 3_000));
    assert_eq!(machine.edge(true, 10_000 * MS), [press(10_000)]);
    assert_eq!(machine.edge(false, 10_100 * MS), []);
    assert_eq!(machine.next_deadline(), None);
    assert_eq!(machine.edge(true, 12_999 * MS), [again(12_999, 10_000)]);
    machine.edge(false, 12_999 * MS + 1);
    assert_eq!(machine.edge(true, 13_000 * MS), [press(13_000)]);
}

#[test]
fn an_answered_edge_does_not_prolong_the_cooldown() {
    let edges: Vec<(u64, bool)> = (0..=6)
        .flat_map(|n| [(n * 1_000, true), (n * 1_000 + 100, false)])
        .collect();
    let presses: Vec<Action> = played(rules(false, false, 3_000), &edges, 10_000)
        .into_iter()
        .filter(|action| matches!(action, Action::Press { .. }))
        .collect();
    assert_eq!(presses, [press(0), press(3_000), press(6_000)]);
}

#[test]
fn after_a_refused_press_the_next_edge_is_a_press_again() {
    let mut machine = Machine::new(rules(false, false, 3_000));
    machine.edge(true, S);
    machine.edge(false, S + 1);
    machine.refused(S);
    assert_eq!(machine.edge(true, 2 * S), [press(2_000)]);
    machine.edge(false, 2 * S + 1);
    // That one is known not to be the last.
    machine.refused(S);
    assert_eq!(machine.edge(true, 3 * S), [again(3_000, 2_000)]);
    machine.edge(false, 3 * S + 1);
    // One that was heard as a repetition became the press, for the first was refused.
    machine.refused(2 * S);
    machine.taken(3 * S);
    assert_eq!(machine.edge(true, 5_500 * MS), [again(5_500, 3_000)]);
}

#[test]
fn held_for_a_second_it_is_a_long_press_and_shorter_a_plain_one() {
    let both = |held_ms| {
        played(
            rules(true, false, 3_000),
            &[(0, true), (held_ms, false)],
            5_000,
        )
    };
    assert_eq!(both(999), [undecided(0), decide(0, Gesture::Plain)]);
    assert_eq!(both(1_000), [undecided(0), decide(0, Gesture::Long)]);
    assert_eq!(both(4_000), [undecided(0), decide(0, Gesture::Long)]);
}

#[test]
fn a_second_edge_within_400_ms_makes_it_double_and_a_later_one_does_not() {
    let second = |at_ms| {
        played(
            rules(false, true, 3_000),
            &[
                (0, true),
                (80, false),
                (at_ms, true),
                (at_ms + 80, false),
                (1_500, true),
                (1_600, false),
            ],
            5_000,
        )
    };
    assert_eq!(
        second(400),
        [undecided(0), decide(0, Gesture::Double), again(1_500, 0)]
    );
    assert_eq!(
        second(401),
        [
            undecided(0),
            decide(0, Gesture::Plain),
            again(401, 0),
            again(1_500, 0)
        ]
    );
}

#[test]
fn a_press_that_may_become_both_is_decided_as_soon_as_it_can_be() {
    let mut machine = Machine::new(rules(true, true, 0));
    assert_eq!(machine.edge(true, 0), [undecided(0)]);
    // Too late for a double one, early for a long one.
    assert_eq!(machine.passed(500 * MS), []);
    assert_eq!(
        machine.edge(false, 600 * MS),
        [decide(0, Gesture::Plain)],
        "neither is possible any more"
    );
    assert_eq!(machine.edge(true, 2_000 * MS), [undecided(2_000)]);
    assert_eq!(
        machine.passed(3_000 * MS + LATE_NS),
        [decide(2_000, Gesture::Long)]
    );
    machine.edge(false, 4_000 * MS);
    assert_eq!(machine.edge(true, 5_000 * MS), [undecided(5_000)]);
    assert_eq!(machine.edge(false, 5_100 * MS), []);
    assert_eq!(
        machine.edge(true, 5_400 * MS),
        [decide(5_000, Gesture::Double)]
    );
    // What is held now belongs to the double press.
    assert_eq!(machine.passed(9_000 * MS), []);
}

#[test]
fn an_edge_that_is_still_on_its_way_decides_by_its_own_time() {
    let mut machine = Machine::new(rules(true, true, 3_000));
    machine.edge(true, 0);
    // The timer fires late, the edge of 990 ms arrives later still.
    assert_eq!(machine.passed(1_040 * MS), []);
    assert_eq!(machine.edge(false, 990 * MS), [decide(0, Gesture::Plain)]);
}

#[test]
fn held_for_more_than_thirty_seconds_it_is_one_press_and_stuck_until_it_is_let_go() {
    let mut machine = Machine::new(rules(false, false, 3_000));
    assert_eq!(machine.edge(true, 0), [press(0)]);
    let deadline = machine.next_deadline().unwrap();
    assert_eq!(machine.passed(30_000 * MS + LATE_NS), []);
    assert_eq!(
        machine.passed(deadline),
        [Action::Stuck { since_mono_ns: 0 }]
    );
    assert_eq!(machine.next_deadline(), None, "nothing else can happen");
    assert_eq!(machine.passed(3_600 * S), []);
    let at_mono_ns = 4_000 * S;
    assert_eq!(
        machine.edge(false, at_mono_ns),
        [Action::Unstuck { at_mono_ns }]
    );
    assert_eq!(machine.edge(true, 4_001 * S), [press(4_001_000)]);
}

#[test]
fn held_at_start_it_is_no_press_and_stops_nothing_and_is_stuck_after_thirty_seconds() {
    let mut machine = Machine::new(GestureRules {
        stops_after_ns: Some(8 * S),
        ..rules(true, true, 3_000)
    });
    let at_mono_ns = 5 * S;
    assert_eq!(
        machine.held_at_start(at_mono_ns),
        [Action::HeldAtStart { at_mono_ns }]
    );
    assert_eq!(
        machine.passed(60 * S),
        [Action::Stuck {
            since_mono_ns: at_mono_ns
        }]
    );
    let at_mono_ns = 61 * S;
    assert_eq!(
        machine.edge(false, at_mono_ns),
        [Action::Unstuck { at_mono_ns }]
    );
    assert_eq!(machine.edge(true, 62 * S), [undecided(62_000)]);
    // An edge that comes right behind the look at its level was a press all the same.
    let mut machine = Machine::new(rules(false, false, 3_000));
    machine.held_at_start(S);
    assert_eq!(machine.edge(true, S), [press(1_000)]);
}

#[test]
fn the_hold_that_stops_the_box_is_a_press_too_and_is_told_once() {
    let rules = GestureRules {
        stops_after_ns: Some(8 * S),
        ..rules(true, false, 3_000)
    };
    let edges = [(0, true), (7_999, false), (20_000, true), (28_100, false)];
    let stop = Action::Stop {
        since_mono_ns: 20_000 * MS,
    };
    assert_eq!(
        played(rules, &edges, 60_000),
        [
            undecided(0),
            decide(0, Gesture::Long),
            undecided(20_000),
            decide(20_000, Gesture::Long),
            stop
        ]
    );
}

#[test]
fn a_button_that_only_stops_the_box_makes_no_press() {
    let stops = |after_ms: u64| GestureRules {
        presses: false,
        stops_after_ns: Some(after_ms * MS),
        ..rules(false, false, 3_000)
    };
    let edges = [(0, true), (100, false), (1_000, true), (3_000, false)];
    let at = |ms: u64| Action::Stop {
        since_mono_ns: ms * MS,
    };
    assert_eq!(played(stops(2_000), &edges, 9_000), [at(1_000)]);
    assert_eq!(played(stops(2_001), &edges, 9_000), []);
}

#[test]
fn where_the_kernel_dropped_a_press_one_is_made_when_that_is_noticed() {
    let lost = |held: bool, edges| {
        let mut machine = Machine::new(rules(false, false, 0));
        if held {
            machine.edge(true, S);
        }
        let actions = machine.lost(edges, 9 * S);
        let next = machine.edge(true, 10 * S);
        let of = |actions: &[Action]| actions.contains(&press(9_000));
        (of(&actions), machine.hold.is_some(), next.len())
    };
    assert_eq!(lost(false, 1), (true, true, 1));
    assert_eq!(lost(false, 2), (true, true, 1));
    assert_eq!(lost(true, 1), (false, true, 1), "it was let go");
    assert_eq!(lost(true, 2), (true, true, 1));
    assert_eq!(lost(true, 0), (false, true, 1));
    let mut machine = Machine::new(rules(false, false, 0));
    machine.lost(2, S);
    assert_eq!(machine.next_deadline(), None, "let go again");
    machine.lost(3, 2 * S);
    assert!(machine.next_deadline().is_some(), "held");
}

#[test]
fn where_nobody_knows_what_was_dropped_the_level_tells_what_is_missing() {
    let mut machine = Machine::new(rules(false, false, 0));
    assert_eq!(machine.found(false, S), []);
    assert_eq!(machine.found(true, 2 * S), [press(2_000)]);
    assert_eq!(machine.found(true, 3 * S), []);
    assert_eq!(machine.found(false, 4 * S), []);
    assert_eq!(machine.next_deadline(), None, "not held for ever");
}

/// What a whole sequence of presses means, by looking at all of it at once.
fn by_the_book(rules: GestureRules, holds: &[(u64, u64)]) -> Vec<Action> {
    let mut meant = Vec::new();
    let mut last: Option<u64> = None;
    let mut n = 0;
    while n < holds.len() {
        let (at, until) = holds[n];
        let next = holds.get(n + 1).map(|hold| hold.0);
        n += 1;
        if let Some(of) = last.filter(|of| at - of < rules.cooldown_ns) {
            meant.push(Action::Again {
                at_mono_ns: at,
                of_mono_ns: of,
            });
            continue;
        }
        last = Some(at);
        let undecided = rules.long || rules.double;
        meant.push(Action::Press {
            at_mono_ns: at,
            undecided,
        });
        let gesture = if rules.double && next.is_some_and(|next| next - at <= DOUBLE_NS) {
            n += 1;
            Gesture::Double
        } else if rules.long && until - at >= LONG_NS {
            Gesture::Long
        } else {
            Gesture::Plain
        };
        if undecided {
            meant.push(Action::Decide {
                at_mono_ns: at,
                gesture,
            });
        }
    }
    meant
}

/// Times at which a button is pressed and let go, about those that matter.
fn holds() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let span = || {
        prop_oneof![
            1u64..600,
            395u64..405,
            995u64..1005,
            1_000u64..4_000,
            2_990u64..3_010
        ]
    };
    proptest::collection::vec((span(), span()), 0..24).prop_map(|spans| {
        let mut now = 1_000;
        let hold = |(idle, held): (u64, u64)| {
            let from = now + idle;
            now = from + held;
            (from * MS, now * MS)
        };
        spans.into_iter().map(hold).collect()
    })
}

fn any_rules() -> impl Strategy<Value = GestureRules> {
    let cooldown = prop_oneof![Just(0u64), Just(300), Just(3_000)];
    (any::<bool>(), any::<bool>(), cooldown)
        .prop_map(|(long, double, cooldown_ms)| rules(long, double, cooldown_ms))
}

proptest! {
    /// Whoever is woken when, and however late the edges come: the same.
    #[test]
    fn what_is_meant_depends_on_the_edges_alone(
        rules in any_rules(),
        holds in holds(),
        lags in proptest::collection::vec(0..LATE_NS, 60),
        with_timer in any::<bool>(),
    ) {
        let mut machine = Machine::new(rules);
        let mut actions = Vec::new();
        let edges = holds.iter().flat_map(|(from, to)| [(*from, true), (*to, false)]);
        for ((at, held), lag) in edges.zip(lags.iter().cycle()) {
            if with_timer {
                // Until this edge is here, at + lag.
                while let Some(deadline) = machine.next_deadline().filter(|d| *d < at + lag) {
                    actions.extend(machine.passed(deadline));
                    prop_assert!(machine.next_deadline() != Some(deadline), "a deadline stays");
                }
                actions.extend(machine.passed(at + lag));
            }
            actions.extend(machine.edge(held, at));
        }
        let end = holds.last().map_or(0, |hold| hold.1);
        actions.extend(machine.passed(end + 40 * S));
        prop_assert_eq!(machine.next_deadline(), None, "at rest");
        prop_assert_eq!(actions, by_the_book(rules, &holds));
    }

    /// Edges lost, doubled, out of order: each press edge still is a press, the second
    /// half of one, or within a cooldown; and each undecided press is decided once.
    #[test]
    fn no_press_is_lost_or_doubled_whatever_the_edges(
        rules in any_rules(),
        stops in proptest::option::of(0u64..9_000),
        edges in proptest::collection::vec((any::<bool>(), 0u64..20_000, any::<bool>()), 0..60),
    ) {
        let rules = GestureRules { stops_after_ns: stops.map(|ms| ms * MS), ..rules };
        let mut machine = Machine::new(rules);
        let mut actions = Vec::new();
        for (held, at_ms, timer) in &edges {
            if *timer {
                actions.extend(machine.passed(at_ms * MS));
            }
            actions.extend(machine.edge(*held, at_ms * MS));
        }
        actions.extend(machine.edge(false, 20_000 * MS));
        actions.extend(machine.passed(60_000 * MS));
        prop_assert_eq!(machine.next_deadline(), None);
        let count = |wanted: fn(&Action) -> bool| actions.iter().filter(|a| wanted(a)).count();
        let presses = count(|a| matches!(a, Action::Press { .. }));
        let undecided = count(|a| matches!(a, Action::Press { undecided: true, .. }));
        let answered = count(|a| matches!(a, Action::Again { .. }));
        let doubles = count(|a| matches!(a, Action::Decide { gesture: Gesture::Double, .. }));
        let decisions = count(|a| matches!(a, Action::Decide { .. }));
        let pressed = edges.iter().filter(|(held, _, _)| *held).count();
        prop_assert_eq!(presses + answered + doubles, pressed);
        prop_assert_eq!(undecided, decisions);
        prop_assert!(rules.cooldown_ns > 0 || answered == 0);
    }

    #[test]
    fn a_dropped_press_edge_never_vanishes(
        rules in any_rules(),
        held in any::<bool>(),
        edges in 1u64..100,
    ) {
        let mut machine = Machine::new(rules);
        if held {
            machine.edge(true, S);
            machine.passed(20 * S);
        }
        let actions = machine.lost(edges, 21 * S);
        let presses = actions.iter().filter(|a| matches!(a, Action::Press { .. })).count();
        prop_assert_eq!(presses, usize::from(!held || edges > 1));
        prop_assert_eq!(machine.hold.is_some(), held ^ !edges.is_multiple_of(2));
    }
}

#[test]
fn a_second_edge_that_the_kernel_debounces_for_long_still_makes_a_double_press() {
    // Its debouncing of 200 ms lets the kernel tell of the edge at 390 ms only at 590 ms.
    let slow = GestureRules {
        late_ns: LATE_NS + 200 * MS,
        ..rules(false, true, 3_000)
    };
    let mut machine = Machine::new(slow);
    let mut actions = machine.edge(true, 10_000 * MS);
    actions.extend(machine.edge(false, 10_100 * MS));
    assert_eq!(machine.next_deadline(), Some(10_650 * MS + 1));
    actions.extend(machine.passed(10_590 * MS));
    actions.extend(machine.edge(true, 10_390 * MS));
    assert_eq!(
        actions,
        [undecided(10_000), decide(10_000, Gesture::Double)]
    );
}
