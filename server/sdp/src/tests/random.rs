//! Mutated descriptions: nothing panics, and what is answered keeps its form.

use super::*;
use crate::fuzz;
use base::Seed;

const CORPUS: [&str; 3] = [
    "v=0\r\no=a b 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\n\
     m=audio 4000/2 RTP/AVP 8 96 101\r\na=rtpmap:96 opus/48000/2\r\n\
     a=fmtp:96 useinbandfec=1;stereo=1\r\na=rtpmap:101 telephone-event/8000\r\n\
     a=rtcp:4001 IN IP4 192.0.2.2\r\na=ptime:20\r\na=maxptime:40\r\na=sendonly\r\n\
     m=video 5000 RTP/AVPF 34\r\nc=IN IP6 2001:db8::1\r\na=mid:v\r\n",
    "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=\nm=image 4002 udptl t38\nm=audio 9 RTP/AVP 0 111\n\
     c=IN IP4 host.example\na=rtcp-mux\na=inactive\na=rtpmap:111 telephone-event/48000\n",
    "m=audio 1 RTP/AVPF 9 9 9 110 111\na=rtpmap:110 PCMU/8000/1\na=rtpmap:111 G722/16000\n\
     c=IN IP6 ::\n",
];

#[test]
fn mutated_descriptions_are_survived() {
    let mut seed = Seed::from_number(11);
    let spare = b"\r\n\0 =:/;.0123456789amcovts\xff\xc3-";
    for round in 0..6000 {
        let mut octets = CORPUS[round % CORPUS.len()].as_bytes().to_vec();
        for _ in 0..1 + seed.below(8) {
            let at = seed.below(octets.len() as u64) as usize;
            match seed.below(4) {
                0 => octets[at] = spare[seed.below(spare.len() as u64) as usize],
                1 => octets[at] = seed.u32() as u8,
                2 => octets.insert(at, spare[seed.below(spare.len() as u64) as usize]),
                _ => {
                    octets.truncate(at + 1);
                    octets.extend_from_slice(CORPUS[seed.below(3) as usize].as_bytes());
                }
            }
        }
        fuzz(&octets);
    }
}

#[test]
fn our_own_descriptions_read_back_whole() {
    let octets = offer().octets().to_vec();
    let session = crate::Session::parse(&octets).unwrap();
    assert_eq!((session.id.as_str(), session.version), ("42", 1));
    assert_eq!(session.media[0].formats.len(), 9);
    assert_eq!(session.media[0].attributes, []);
    fuzz(&octets);
}
