//! All that the emulator remembers while it runs.

use crate::arm::operations::Operations;
use crate::clock::Clock;
use crate::entra::jwt::Signer;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::names::Names;
use crate::stale::StaleViews;
use crate::throttle::Levels;
use crate::world::World;

pub(crate) struct State {
    pub(crate) names: Names,
    pub(crate) world: World,
    /// What `reset` goes back to.
    pub(crate) start: World,
    pub(crate) signer: Signer,
    pub(crate) clock: Clock,
    pub(crate) levels: Levels,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) stale: StaleViews,
    /// Whether the world is an old one, for a read that a fault made stale.
    pub(crate) looks_back: bool,
    /// Polls that an accepted (202) call still has to answer "running" to.
    pub(crate) operations: Operations,
}

impl State {
    pub(crate) fn new(names: Names, start: World, world: World, signer: Signer) -> Self {
        Self {
            names,
            world,
            start,
            signer,
            clock: Clock::default(),
            levels: Levels::default(),
            journal: Journal::default(),
            faults: Faults::default(),
            stale: StaleViews::default(),
            looks_back: false,
            operations: Operations::default(),
        }
    }

    /// Back to the world of the start, as if nothing had ever been asked. Tokens stay readable but are too old.
    pub(crate) fn reset(&mut self) {
        let generation = self.world.token_generation + 1;
        let last_etag = self.world.last_etag;
        let fresh =
            Self::new(self.names.clone(), self.start.clone(), self.start.clone(), self.signer.clone());
        *self = fresh;
        self.world.token_generation = generation;
        self.world.last_etag = last_etag;
        let now = self.clock.now();
        self.world.complete(now);
    }
}
