//! What one connection or listener has to tell, and whether it stands in the list of those that have something.

use super::{Event, Ready, Token, Trigger};

/// What the application wants to hear of one connection or listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    token: Token,
    interest: Ready,
    trigger: Trigger,
    /// What it was ready for when it was looked at last.
    ready: Ready,
    /// How much had arrived by then.
    arrived: u64,
    /// What has come true since it was told last.
    edges: Ready,
    /// Whether it stands in the list.
    listed: bool,
}

impl Registration {
    /// Of something that nothing is known of: what it is ready for will come as news.
    pub(crate) fn new(token: Token, interest: Ready, trigger: Trigger) -> Self {
        Self {
            token,
            interest: interest | Ready::CLOSED,
            trigger,
            ready: Ready::NONE,
            arrived: 0,
            edges: Ready::NONE,
            listed: false,
        }
    }

    /// The same under other terms; what stands in the list still does.
    pub(crate) fn renewed(self, old: Option<&Self>) -> Self {
        Self {
            listed: old.is_some_and(|old| old.listed),
            ..self
        }
    }

    /// It has nothing more to tell.
    pub(crate) fn mute(&mut self) {
        (self.interest, self.edges) = (Ready::NONE, Ready::NONE);
    }

    /// Looks at it: it is `ready` now, and `arrived` counts what has ever arrived, `news` being what that makes ready.
    /// Returns whether it must be put into the list.
    pub(crate) fn look(&mut self, ready: Ready, arrived: u64, news: Ready) -> bool {
        let came_true = ready & !self.ready;
        let more = if arrived > self.arrived {
            ready & news
        } else {
            Ready::NONE
        };
        self.edges = self.edges | (came_true | more) & self.interest;
        (self.ready, self.arrived) = (ready, arrived);
        let tells = match self.trigger {
            Trigger::Level => ready & self.interest,
            Trigger::Edge => self.edges,
        };
        !tells.is_empty() && !std::mem::replace(&mut self.listed, true)
    }

    /// Whether `arrived` is news that it will tell.
    pub(crate) fn will_tell_of_bytes(&self, arrived: u64) -> bool {
        arrived > self.arrived && self.interest.contains(Ready::READABLE)
    }

    /// Notes that the application has used something up: it is no more than `ready` now. When it comes true again, that is
    /// news.
    pub(crate) fn used(&mut self, ready: Ready) {
        self.ready = self.ready & ready;
    }

    /// Its turn in the list: what there is to tell, if it still holds. Where it is to be asked again, it stays
    /// [`listed`](Self::is_listed).
    pub(crate) fn tell(&mut self, ready: Ready) -> Option<Event> {
        let told = match self.trigger {
            Trigger::Level => ready & self.interest,
            Trigger::Edge => ready & std::mem::take(&mut self.edges),
        };
        self.listed = self.trigger == Trigger::Level && !told.is_empty();
        (!told.is_empty()).then_some(Event {
            token: self.token,
            ready: told,
        })
    }

    /// Whether it stands in the list.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: Ready = Ready::READABLE;
    const W: Ready = Ready::WRITABLE;
    const NONE: Ready = Ready::NONE;

    /// What happens to a connection.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// So many bytes arrive.
        Arrive(u64),
        /// The application takes all that is there.
        Drain,
        /// Acknowledgments make room, or not.
        Room(bool),
        /// The application fills the room.
        Fill,
        /// It is over.
        Close,
    }
    use Step::{Arrive, Close, Drain, Fill, Room};

    /// A connection as the stack looks at it.
    struct Bench {
        registration: Registration,
        ready: Ready,
        arrived: u64,
    }

    impl Bench {
        fn step(&mut self, step: Step) {
            match step {
                Arrive(bytes) => (self.ready, self.arrived) = (self.ready | R, self.arrived + bytes),
                // The stack does not look while the application reads.
                Drain => return self.ready = self.ready & !R,
                Room(true) => self.ready = self.ready | W,
                Room(false) => self.ready = self.ready & !W,
                Fill => {
                    self.ready = self.ready & !W;
                    return self.registration.used(self.ready);
                }
                Close => self.ready = self.ready | Ready::CLOSED,
            }
            self.registration.look(self.ready, self.arrived, R);
        }

        fn ask(&mut self) -> Ready {
            if !self.registration.is_listed() {
                return NONE;
            }
            self.registration
                .tell(self.ready)
                .map_or(NONE, |event| event.ready)
        }
    }

    #[test]
    fn level_and_edge_differ_in_these_cases_and_in_no_others() {
        // What was registered for, what happens between the questions, what a level tells, what an edge tells.
        type Row<'a> = (&'a str, Ready, &'a [&'a [Step]], &'a [Ready], &'a [Ready]);
        let closed = Ready::CLOSED;
        let table: &[Row<'_>] = &[
            (
                "nothing happens",
                R | W,
                &[&[], &[]],
                &[NONE, NONE],
                &[NONE, NONE],
            ),
            (
                "bytes that nobody takes",
                R,
                &[&[Arrive(5)], &[], &[]],
                &[R, R, R],
                &[R, NONE, NONE],
            ),
            (
                "more bytes, and the first ones still there",
                R,
                &[&[Arrive(5)], &[Arrive(5)], &[]],
                &[R, R, R],
                &[R, R, NONE],
            ),
            (
                "taken between the questions",
                R,
                &[&[Arrive(5)], &[Drain], &[Arrive(1)]],
                &[R, NONE, R],
                &[R, NONE, R],
            ),
            (
                "taken before anybody asked",
                R,
                &[&[Arrive(5), Drain], &[]],
                &[NONE, NONE],
                &[NONE, NONE],
            ),
            (
                "several arrivals are told once",
                R,
                &[&[Arrive(5), Arrive(5), Arrive(5)], &[]],
                &[R, R],
                &[R, NONE],
            ),
            (
                "room from the start",
                W,
                &[&[Room(true)], &[]],
                &[W, W],
                &[W, NONE],
            ),
            (
                "more room is no news",
                W,
                &[&[Room(true)], &[Room(true)]],
                &[W, W],
                &[W, NONE],
            ),
            (
                "room that was used up and came back",
                W,
                &[&[Room(true)], &[Fill], &[Room(true)]],
                &[W, NONE, W],
                &[W, NONE, W],
            ),
            (
                "room that was used up and came back before the stack looked",
                W,
                &[&[Room(true)], &[Fill, Room(true)]],
                &[W, W],
                &[W, W],
            ),
            (
                "room that went before anybody asked",
                W,
                &[&[Room(true), Room(false)]],
                &[NONE],
                &[NONE],
            ),
            (
                "only what was asked for is told",
                W,
                &[&[Arrive(5)], &[Room(true)]],
                &[NONE, W],
                &[NONE, W],
            ),
            (
                "an edge tells only what is new",
                R | W,
                &[&[Room(true)], &[Arrive(1)], &[]],
                &[W, R | W, R | W],
                &[W, R, NONE],
            ),
            (
                "the end is told to everybody",
                NONE,
                &[&[Arrive(5)], &[Close], &[]],
                &[NONE, closed, closed],
                &[NONE, closed, NONE],
            ),
        ];
        for (name, interest, rounds, level, edge) in table {
            for (trigger, expected) in [(Trigger::Level, level), (Trigger::Edge, edge)] {
                let mut bench = Bench {
                    registration: Registration::new(Token(7), *interest, trigger),
                    ready: NONE,
                    arrived: 0,
                };
                for (round, (steps, expected)) in rounds.iter().zip(*expected).enumerate() {
                    steps.iter().for_each(|step| bench.step(*step));
                    assert_eq!(
                        bench.ask(),
                        *expected,
                        "{name}: {trigger:?}, question {}",
                        round + 1
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_registered_anew_tells_what_holds_already_and_stands_in_the_list_once() {
        let mut old = Registration::new(Token(1), R, Trigger::Edge);
        assert!(old.look(R, 5, R) && old.is_listed());
        assert!(!old.look(R, 9, R), "it stands there already");
        let mut new = Registration::new(Token(2), R, Trigger::Edge).renewed(Some(&old));
        assert!(!new.look(R, 9, R));
        assert_eq!(
            new.tell(R),
            Some(Event {
                token: Token(2),
                ready: R
            })
        );
        assert!(!new.is_listed());
    }
}
