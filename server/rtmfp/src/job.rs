//! Work that is too slow for the thread of a machine: Diffie-Hellman.

use crate::crypto::{PrivateKey, SharedSecret};

/// Names a job; its result carries the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Work to be done elsewhere, half a millisecond to ten: [`Job::run`] on any thread, then the result
/// goes back by `Endpoint::handle_job`. A result that never comes costs its handshake only.
#[derive(Debug)]
pub struct Job {
    id: JobId,
    key: PrivateKey,
    /// The public key is wanted.
    public: bool,
    /// The secret shared with the holder of this public key is wanted.
    far: Option<Vec<u8>>,
}

/// The result of a job. What it holds never prints.
pub struct JobDone {
    pub(crate) id: JobId,
    pub(crate) public: Option<Vec<u8>>,
    /// `None` when none was wanted or the far key is not acceptable.
    pub(crate) secret: Option<SharedSecret>,
}

impl Job {
    pub(crate) fn new(id: JobId, key: PrivateKey, public: bool, far: Option<Vec<u8>>) -> Self {
        Job { id, key, public, far }
    }

    /// Which job this is.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Does the work.
    pub fn run(self) -> JobDone {
        JobDone {
            id: self.id,
            public: self.public.then(|| self.key.public()),
            secret: self.far.as_deref().and_then(|far| self.key.agree(far)),
        }
    }
}

impl std::fmt::Debug for JobDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JobDone({})", self.id.0)
    }
}
