//! Visitors with Flash Player: RTMFP from a real socket to real phones.

mod accounts;
mod between;
mod calls;
mod direct;
mod doors;
mod floods;
mod networks;

use harness::sound::{PHONE, VISITOR};
use harness::{Appliance, FlashSettings, FlashVisitor, Handset, HandsetSettings, Place, Shop};

/// A call that is up between a client and a phone of ours.
struct Talk {
    appliance: Appliance,
    phone: Handset,
    visitor: FlashVisitor,
    place: Place,
}

/// `codecs`: those of the account.
fn talk(name: &str, phone: HandsetSettings, codecs: &[&str], client: FlashSettings) -> Talk {
    let place = Place::new(name);
    let phone = Handset::start(phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, codecs));
    let mut visitor = FlashVisitor::connect(&appliance, client);
    visitor.call();
    visitor.talks();
    Talk { appliance, phone, visitor, place }
}
