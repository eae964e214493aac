//! The table as a whole, and the pure functions over it for any state and time.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000_000;

const MEANINGS: [Meaning; 12] = [
    Meaning::Dead,
    Meaning::Refused,
    Meaning::Taken,
    Meaning::ClipDone,
    Meaning::ShuttingDown,
    Meaning::Fault,
    Meaning::Booting,
    Meaning::WindowRunning,
    Meaning::CameraMissing,
    Meaning::BoxTrouble,
    Meaning::DiskNearlyFull,
    Meaning::Ready,
];

fn patterns() -> impl Iterator<Item = (&'static PatternRow, LedRole, &'static Pattern)> {
    let rows = TABLE.iter().flat_map(|row| ROLES.map(|role| (row, role)));
    rows.filter_map(|(row, role)| Some((row, role, row.of(role)?)))
}

#[test]
fn every_meaning_has_one_row_in_the_order_of_urgency() {
    assert_eq!(TABLE.map(|row| row.meaning), MEANINGS);
    assert!(MEANINGS.iter().all(|m| m.row().meaning == *m));
}

#[test]
fn the_last_row_has_a_steady_word_for_every_light_so_that_none_wakes_anybody_at_rest() {
    for role in ROLES {
        let pattern = Meaning::Ready.row().of(role).unwrap();
        assert!(matches!(pattern.beat, Beat::Steady(_)), "{role:?}");
        assert_eq!(next_change(&LightState::ready(), role, 5 * S), None);
    }
}

#[test]
fn what_stays_behind_after_a_death_is_a_level_and_no_rhythm() {
    for role in ROLES {
        let pattern = Meaning::Dead.row().of(role).unwrap();
        assert_eq!(pattern.beat, Beat::Steady(dead_level(role)));
    }
    assert!(dead_level(LedRole::Fault));
    assert!(!dead_level(LedRole::Ready) && !dead_level(LedRole::Status));
    assert!(!dead_level(LedRole::Sound), "a dead box must not beep");
}

#[test]
fn a_press_is_answered_on_every_light_but_the_red_one_and_by_the_buzzer() {
    for role in ROLES {
        assert!(Meaning::Refused.row().of(role).is_some(), "{role:?}");
        let taken = Meaning::Taken.row().of(role).is_some();
        assert_eq!(taken, role != LedRole::Fault, "{role:?}");
    }
}

#[test]
fn an_answer_is_seen_at_once_on_a_light_that_was_steady_before() {
    for role in [
        LedRole::Ready,
        LedRole::Busy,
        LedRole::Status,
        LedRole::Sound,
    ] {
        let before = level(&LightState::ready(), role, S);
        let taken = LightState {
            answer: Some((PressEcho::Taken, S)),
            ..LightState::ready()
        };
        assert_ne!(level(&taken, role, S), before, "{role:?}");
    }
}

/// Times at which the light changes within `for_ns`, and to what.
fn changes(state: &LightState, role: LedRole, from: u64, for_ns: u64) -> Vec<(u64, bool)> {
    let mut at = from;
    let mut changes = Vec::new();
    while let Some(next) = next_change(state, role, at).filter(|next| *next < from + for_ns) {
        changes.push((next - from, level(state, role, next)));
        at = next;
    }
    changes
}

#[test]
fn taken_flickers_and_refused_can_be_counted_and_neither_can_be_taken_for_the_other() {
    let flashes = |answer, role| {
        let state = LightState {
            answer: Some((answer, S)),
            ..LightState::ready()
        };
        let changes = changes(&state, role, S, 2 * S);
        changes.iter().filter(|(_, lit)| *lit).count()
    };
    for role in [LedRole::Ready, LedRole::Status] {
        assert_eq!(flashes(PressEcho::Taken, role), 10, "{role:?}");
        assert_eq!(
            flashes(PressEcho::Refused, role),
            4,
            "{role:?}: three, and ready again"
        );
    }
    assert_eq!(flashes(PressEcho::Refused, LedRole::Fault), 3);
    assert_eq!(flashes(PressEcho::Refused, LedRole::Busy), 3);
}

#[test]
fn the_last_answer_counts_and_what_held_before_it_goes_on_afterwards() {
    let mut state = LightState {
        window_running: Some(S),
        ..LightState::ready()
    };
    let means = |state: &LightState, at| meaning(state, LedRole::Status, at);
    assert_eq!(means(&state, 2 * S), Meaning::WindowRunning);
    state.answer = Some((PressEcho::Refused, 2 * S));
    assert_eq!(means(&state, 2 * S), Meaning::Refused);
    state.answer = Some((PressEcho::Taken, 2 * S + 1));
    assert_eq!(means(&state, 2 * S + 1), Meaning::Taken);
    assert_eq!(means(&state, 3 * S + 1), Meaning::WindowRunning);
}

#[test]
fn a_light_that_has_no_word_for_the_most_urgent_goes_on_with_the_next() {
    let state = LightState {
        fault: Some(S),
        window_running: Some(S),
        camera_missing: Some(S),
        ..LightState::ready()
    };
    let means = |role| meaning(&state, role, 2 * S);
    assert_eq!(means(LedRole::Fault), Meaning::Fault);
    assert_eq!(means(LedRole::Status), Meaning::Fault);
    assert_eq!(means(LedRole::Ready), Meaning::Fault);
    assert_eq!(means(LedRole::Busy), Meaning::WindowRunning);
    assert_eq!(means(LedRole::Sound), Meaning::Ready);
}

#[test]
fn a_status_light_that_is_lit_most_of_the_time_takes_presses() {
    let lit_share = |meaning: Meaning| {
        let Beat::Turns { lit, ms, .. } = meaning.row().status.unwrap().beat else {
            return f64::from(u8::from(level_of(meaning)));
        };
        let lit_ms: u32 = ms.iter().skip(usize::from(!lit)).step_by(2).sum();
        f64::from(lit_ms) / f64::from(ms.iter().sum::<u32>())
    };
    for meaning in [
        Meaning::Ready,
        Meaning::WindowRunning,
        Meaning::CameraMissing,
        Meaning::BoxTrouble,
        Meaning::DiskNearlyFull,
    ] {
        assert!(lit_share(meaning) >= 0.75, "{meaning:?}");
    }
    for meaning in [
        Meaning::Dead,
        Meaning::ShuttingDown,
        Meaning::Fault,
        Meaning::Booting,
    ] {
        assert!(lit_share(meaning) <= 0.5, "{meaning:?}");
    }
}

fn level_of(meaning: Meaning) -> bool {
    meaning.row().status.unwrap().beat == Beat::Steady(true)
}

#[test]
fn lasting_states_of_the_status_light_all_look_different() {
    let lasting = TABLE.iter().filter(|row| row.lasts_ms.is_none());
    let beats: Vec<Beat> = lasting.map(|row| row.status.unwrap().beat).collect();
    for (n, beat) in beats.iter().enumerate() {
        assert!(!beats[..n].contains(beat), "{beat:?}");
    }
}

#[test]
fn every_turn_lasts_long_enough_to_be_seen_or_heard_and_a_row_as_long_as_its_patterns() {
    for (row, role, pattern) in patterns() {
        let Beat::Turns { ms, once, .. } = pattern.beat else {
            continue;
        };
        let least = if role == LedRole::Sound { 40 } else { 50 };
        assert!(ms.iter().all(|ms| *ms >= least), "{} {role:?}", row.name);
        let round: u32 = ms.iter().sum();
        match row.lasts_ms {
            Some(lasts) => assert_eq!(lasts % round, 0, "{} {role:?}", row.name),
            None => assert!(!once && ms.len() % 2 == 0, "{} {role:?}", row.name),
        }
    }
}

#[test]
fn the_same_words_are_the_same_rhythm() {
    for (_, _, one) in patterns() {
        for (_, _, other) in patterns().filter(|(_, _, other)| other.words == one.words) {
            let ms = |beat| match beat {
                Beat::Steady(lit) => (Some(lit), &[][..]),
                Beat::Turns { ms, .. } => (None, ms),
            };
            assert_eq!(ms(one.beat), ms(other.beat), "{}", one.words);
        }
    }
}

#[test]
fn the_buzzer_is_never_on_for_longer_than_half_a_second_and_speaks_only_to_a_press() {
    for (row, _, pattern) in patterns().filter(|(_, role, _)| *role == LedRole::Sound) {
        match pattern.beat {
            Beat::Steady(lit) => assert!(!lit, "{}", row.name),
            Beat::Turns { lit, ms, once } => {
                assert!(once && row.lasts_ms.is_some(), "{}", row.name);
                let loud: u32 = ms.iter().skip(usize::from(!lit)).step_by(2).sum();
                assert!(loud <= 500, "{}", row.name);
            }
        }
    }
}

#[test]
fn the_table_for_people_names_every_state_and_every_pattern() {
    let text = markdown();
    assert_eq!(text.lines().count(), TABLE.len() + 2);
    for (row, _, pattern) in patterns() {
        assert!(text.contains(row.name) && text.contains(row.says));
        assert!(text.contains(pattern.words), "{}", pattern.words);
    }
}

prop_compose! {
    fn since()(is in any::<bool>(), at in 0..20 * S) -> Option<u64> {
        is.then_some(at)
    }
}

prop_compose! {
    fn any_state()(
        dead in prop::option::weighted(0.1, 0..20 * S),
        answer in prop::option::of((prop::bool::ANY, 0..20 * S)),
        clip_done in since(),
        shutting_down in prop::option::weighted(0.2, 0..20 * S),
        fault in since(),
        booting in since(),
        window_running in since(),
        camera_missing in since(),
        box_trouble in since(),
        disk_nearly_full in since(),
    ) -> LightState {
        let kind = |taken| if taken { PressEcho::Taken } else { PressEcho::Refused };
        let answer = answer.map(|(taken, at)| (kind(taken), at));
        LightState {
            dead, answer, clip_done, shutting_down, fault, booting,
            window_running, camera_missing, box_trouble, disk_nearly_full,
        }
    }
}

proptest! {
    #[test]
    fn until_the_next_change_a_light_stays_as_it_is_and_then_it_is_another(
        state in any_state(),
        role in prop::sample::select(&ROLES[..]),
        now in 0..30 * S,
        looks in prop::collection::vec(0.0..1.0f64, 20),
    ) {
        let lit = level(&state, role, now);
        let next = next_change(&state, role, now);
        if let Some(next) = next {
            prop_assert!(next > now);
            prop_assert_ne!(level(&state, role, next), lit);
            prop_assert_eq!(level(&state, role, next - 1), lit);
        }
        let end = next.unwrap_or(now + 60 * S);
        for look in looks {
            let at = now + ((end - now) as f64 * look) as u64;
            prop_assert!(at >= end || level(&state, role, at) == lit, "at {}", at);
        }
    }

    #[test]
    fn the_most_urgent_row_that_has_a_word_for_a_light_decides(
        state in any_state(),
        role in prop::sample::select(&ROLES[..]),
        now in 20 * S..40 * S,
    ) {
        let shown = meaning(&state, role, now);
        let urgency = |m: Meaning| MEANINGS.iter().position(|other| *other == m).unwrap();
        let lasting = [
            (state.dead, Meaning::Dead),
            (state.shutting_down, Meaning::ShuttingDown),
            (state.fault, Meaning::Fault),
            (state.booting, Meaning::Booting),
            (state.window_running, Meaning::WindowRunning),
            (state.camera_missing, Meaning::CameraMissing),
            (state.box_trouble, Meaning::BoxTrouble),
            (state.disk_nearly_full, Meaning::DiskNearlyFull),
        ];
        for (since, meaning) in lasting {
            if since.is_some() && meaning.row().of(role).is_some() {
                prop_assert!(urgency(shown) <= urgency(meaning), "{:?} over {:?}", shown, meaning);
            }
        }
        prop_assert!(shown.row().of(role).is_some());
    }

    #[test]
    fn nothing_beats_death(state in any_state(), role in prop::sample::select(&ROLES[..]), now in 20 * S..40 * S) {
        let state = LightState { dead: Some(0), ..state };
        prop_assert_eq!(level(&state, role, now), dead_level(role));
        prop_assert_eq!(next_change(&state, role, now), None);
    }
}
