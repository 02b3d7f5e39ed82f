//! Ringing and sound before the answer.

use call::{Call, LegEvent, Settings};
use signalling::CallState::{Active, Early, Ringing};
use std::time::{Duration, Instant};

#[test]
fn ringing_after_sound_does_not_silence_it_but_where_the_provider_means_that() {
    let now = Instant::now();
    let mut call = Call::new(now, Settings { max_duration: Duration::from_secs(60) });
    let early = || LegEvent::TrunkEarly { code: 183 };
    let rings = |again| LegEvent::TrunkRinging { code: 180, again };
    let answered = LegEvent::TrunkAnswered;
    for event in [early(), rings(false), rings(true), early(), answered, rings(true)] {
        call.handle_event(now, event);
    }
    let changes = std::iter::from_fn(|| call.poll_change());
    let states: Vec<_> = changes.map(|change| change.state).collect();
    assert_eq!(states, [Early, Ringing, Early, Active]);
}
