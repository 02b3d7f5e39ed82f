//! The two halves of a session's keys, and the Diffie-Hellman between them (RFC 7425 section 4.6).

use crate::chunk::IIKeying;
use crate::crypto::keying::{Agreement, OwnKey, SALT, initiator_component, responder_component};
use crate::crypto::{
    Certificate, Component, Group, Identity, Negotiation, PrivateKey, Protection, SessionKeys,
};
use crate::job::{Job, JobDone, JobId};
use base::Seed;

/// The longest component that is taken: a key in the largest group here takes 520 octets.
const COMPONENT_LONGEST: usize = 2_048;

/// How much protection an end wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) hmac: Protection,
    pub(crate) sequence: Protection,
}

/// A session's keys and what both ends agreed on.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// The component that this end sends.
    pub(crate) component: Vec<u8>,
    pub(crate) keys: SessionKeys,
    pub(crate) agreement: Agreement,
}

/// A responder that has accepted an initiator's half and waits for its own.
#[derive(Debug)]
pub(crate) struct Responding {
    pub(crate) certificate: Certificate,
    far_component: Vec<u8>,
    far_key: Vec<u8>,
    hmac: Negotiation,
    sequence: Negotiation,
    agreement: Agreement,
    key: PrivateKey,
    /// `None` when the public key is in the certificate; then the salt goes instead.
    salt: Option<[u8; SALT]>,
}

impl Responding {
    /// Looks at an initiator's half. `None` when it is malformed, when its public key is not
    /// acceptable, when there is no common group, or when it lacks protection that this end
    /// requires.
    pub(crate) fn begin(
        identity: &Identity,
        policy: Policy,
        keying: &IIKeying<'_>,
        seed: &mut Seed,
    ) -> Option<Self> {
        if keying.component.len() > COMPONENT_LONGEST {
            return None;
        }
        let certificate = Certificate::parse(keying.certificate).ok()?;
        let component = Component::parse(keying.component).ok()?;
        let (group, far_key) = component.initiator_key(&certificate)?;
        let usable = identity.certificate().supports(group) && group.accepts(far_key);
        let permitted =
            policy.hmac.permits(component.hmac) && policy.sequence.permits(component.sequence);
        if !usable || !permitted {
            return None;
        }
        let far_key = far_key.to_vec();
        let hmac = policy.hmac.answer(component.hmac);
        let sequence = policy.sequence.answer(component.sequence);
        let (key, salt) = own_key(identity, group, seed);
        Some(Responding {
            agreement: component.agree(hmac, sequence),
            far_component: keying.component.to_vec(),
            certificate,
            far_key,
            hmac,
            sequence,
            key,
            salt,
        })
    }

    pub(crate) fn job(&self, id: JobId) -> Job {
        Job::new(id, self.key.clone(), self.salt.is_none(), Some(self.far_key.clone()))
    }

    /// The keys, once the job is done.
    pub(crate) fn finish(&self, done: &JobDone) -> Option<Keyed> {
        let own = match (&self.salt, &done.public) {
            (Some(salt), _) => OwnKey::Salt(salt),
            (None, Some(public)) => OwnKey::Ephemeral(self.key.group(), public),
            (None, None) => return None,
        };
        let component = responder_component(own, self.hmac, self.sequence);
        let keys = SessionKeys::derive(done.secret.as_ref()?, &component, &self.far_component);
        Some(Keyed { component, keys, agreement: self.agreement })
    }
}

/// The private key for a session in a group; with salt when its public key is in the certificate.
fn own_key(identity: &Identity, group: Group, seed: &mut Seed) -> (PrivateKey, Option<[u8; SALT]>) {
    match identity.static_key(group) {
        Some(key) => {
            let mut salt = [0; SALT];
            seed.fill(&mut salt);
            (key.clone(), Some(salt))
        }
        None => (PrivateKey::new(group, seed), None),
    }
}

/// An initiator's half, for one responder.
#[derive(Debug)]
pub(crate) struct Proposing {
    pub(crate) certificate: Certificate,
    key: PrivateKey,
    salt: Option<[u8; SALT]>,
    policy: Policy,
}

impl Proposing {
    /// Chooses the first group of this end's certificate that the far one has too; `None` when there
    /// is none, or when the far certificate's key in it is not acceptable.
    pub(crate) fn begin(
        identity: &Identity,
        policy: Policy,
        certificate: Certificate,
        seed: &mut Seed,
    ) -> Option<Self> {
        let usable = |group: &Group| {
            certificate.supports(*group)
                && certificate.static_key(*group).is_none_or(|key| group.accepts(key))
        };
        let group = identity.certificate().groups().find(usable)?;
        let (key, salt) = own_key(identity, group, seed);
        Some(Proposing { certificate, key, salt, policy })
    }

    /// The job that makes the public key, unless it is in the certificate.
    pub(crate) fn job(&self, id: JobId) -> Option<Job> {
        self.salt.is_none().then(|| Job::new(id, self.key.clone(), true, None))
    }

    /// This end's component; `public` from the job.
    pub(crate) fn component(&self, public: Option<&[u8]>) -> Option<Vec<u8>> {
        let group = self.key.group();
        let own = match (&self.salt, public) {
            (Some(salt), _) => OwnKey::Select(group, salt),
            (None, Some(public)) => OwnKey::Ephemeral(group, public),
            (None, None) => return None,
        };
        let (hmac, sequence) = (self.policy.hmac.opening(), self.policy.sequence.opening());
        Some(initiator_component(own, hmac, sequence))
    }

    /// Looks at the responder's half: what was agreed on, and the job that makes the secret. `None`
    /// when the half is not acceptable.
    pub(crate) fn agree(&self, component: &[u8], id: JobId) -> Option<(Agreement, Job)> {
        if component.len() > COMPONENT_LONGEST {
            return None;
        }
        let parsed = Component::parse(component).ok()?;
        let group = self.key.group();
        let far = parsed.responder_key(&self.certificate, group)?;
        let permitted =
            self.policy.hmac.permits(parsed.hmac) && self.policy.sequence.permits(parsed.sequence);
        if !permitted || !group.accepts(far) {
            return None;
        }
        let agreement = parsed.agree(self.policy.hmac.opening(), self.policy.sequence.opening());
        Some((agreement, Job::new(id, self.key.clone(), false, Some(far.to_vec()))))
    }
}
