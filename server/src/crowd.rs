//! How many may be inside at once, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// A head count with two bounds.
#[derive(Debug)]
pub struct Crowd {
    all: usize,
    most: usize,
    most_from_one: usize,
    from: HashMap<IpAddr, usize>,
}

/// A place inside; dropping it leaves.
#[derive(Debug)]
pub struct Seat {
    crowd: Arc<Mutex<Crowd>>,
    from: Option<IpAddr>,
}

impl Crowd {
    /// Room for `most`, of whom `most_from_one` may come from one address.
    pub fn new(most: usize, most_from_one: usize) -> Crowd {
        Crowd { all: 0, most, most_from_one, from: HashMap::new() }
    }

    /// How many are inside.
    #[cfg(test)]
    pub fn inside(&self) -> usize {
        self.all
    }

    /// Takes a place, if one is free. Addresses of the local network are not held to the second
    /// bound: a proxy there speaks for everybody.
    pub fn enter(crowd: &Arc<Mutex<Crowd>>, address: IpAddr) -> Option<Seat> {
        let mut inside = crowd.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.all >= inside.most {
            return None;
        }
        let from = (!crate::config::origin::is_local(address)).then(|| household(address));
        if let Some(from) = from {
            let most = inside.most_from_one;
            let count = inside.from.entry(from).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        inside.all += 1;
        Some(Seat { crowd: Arc::clone(crowd), from })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        if let Some(from) = self.from
            && let Some(count) = inside.from.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                inside.from.remove(&from);
            }
        }
    }
}

/// What counts as one address: an IPv6 subscriber has a whole /64 to choose from.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn enter(crowd: &Arc<Mutex<Crowd>>, address: &str) -> Option<Seat> {
        Crowd::enter(crowd, address.parse().unwrap())
    }

    #[test]
    fn one_address_cannot_take_every_place_and_leaving_frees_it() {
        let crowd = Arc::new(Mutex::new(Crowd::new(5, 2)));
        let first = enter(&crowd, "203.0.113.1").unwrap();
        let _second = enter(&crowd, "203.0.113.1").unwrap();
        assert!(enter(&crowd, "203.0.113.1").is_none());
        drop(first);
        assert!(enter(&crowd, "203.0.113.1").is_some());
        assert_eq!(crowd.lock().unwrap().from.len(), 1);
    }

    #[test]
    fn neighbours_in_an_ipv6_network_are_one_and_a_local_proxy_is_not_held() {
        let crowd = Arc::new(Mutex::new(Crowd::new(5, 1)));
        let _first = enter(&crowd, "2001:db8::1").unwrap();
        assert!(enter(&crowd, "2001:db8::2").is_none());
        let proxied: Vec<_> = std::iter::from_fn(|| enter(&crowd, "127.0.0.1")).collect();
        assert_eq!(proxied.len(), 4);
        assert!(enter(&crowd, "203.0.113.1").is_none());
    }
}
