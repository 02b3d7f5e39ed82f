//! Speex files, as `speexenc` writes and `speexdec` reads them: Ogg (RFC 3533) with one frame of
//! Speex a packet.

const SERIAL: u32 = 0x5045;
/// The header packet's octets.
const HEADER: usize = 80;

/// The frames of a Speex file and its rate in Hz.
pub fn read(octets: &[u8]) -> (u32, Vec<Vec<u8>>) {
    let mut packets = vec![Vec::new()];
    let mut rest = octets;
    while rest.len() > 27 {
        assert!(rest.starts_with(b"OggS"), "a page begins here");
        let (lacing, data) = rest[27..].split_at(usize::from(rest[26]));
        let mut at = 0;
        for length in lacing {
            let length = usize::from(*length);
            packets.last_mut().unwrap().extend_from_slice(&data[at..at + length]);
            at += length;
            // A full segment goes on in the next one.
            if length < 255 {
                packets.push(Vec::new());
            }
        }
        rest = &data[at..];
    }
    packets.pop();
    let header = packets.remove(0);
    assert!(header.starts_with(b"Speex   ") && header.len() == HEADER, "{header:?}");
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    assert_eq!(word(64), 1, "one frame a packet");
    // The comment.
    packets.remove(0);
    (word(36), packets)
}

/// A Speex file of frames at 8000 or 16000 Hz.
pub fn write(rate: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let wide = rate == 16_000;
    let mut header = b"Speex   ".to_vec();
    header.extend_from_slice(b"1.2.1");
    header.resize(28, 0);
    let frame_size = rate / 50;
    // Version, size, rate, mode, version of the bit stream, channels, bit rate (unknown), frame
    // size, VBR, frames a packet, further headers, and two that are reserved.
    let words =
        [1, HEADER as u32, rate, u32::from(wide), 4, 1, u32::MAX, frame_size, 0, 1, 0, 0, 0];
    header.extend(words.into_iter().flat_map(u32::to_le_bytes));
    let mut file = page(2, 0, 0, &[&header]);
    let comment = [4, 0, 0, 0, b't', b'e', b's', b't', 0, 0, 0, 0];
    file.extend(page(0, 0, 1, &[&comment]));
    let pages = frames.chunks(50);
    let last = pages.len();
    let mut played = 0;
    for (n, frames) in pages.enumerate() {
        played += frames.len() as u64 * u64::from(frame_size);
        let packets: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let end = if n + 1 == last { 4 } else { 0 };
        file.extend(page(end, played, n as u32 + 2, &packets));
    }
    file
}

/// A page of packets that are shorter than 255 octets.
fn page(flags: u8, granule: u64, number: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(SERIAL.to_le_bytes());
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(packets.len()).unwrap());
    page.extend(packets.iter().map(|packet| u8::try_from(packet.len()).unwrap()));
    for packet in packets {
        page.extend_from_slice(packet);
    }
    let checksum = checksum(&page);
    page[22..26].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// The page's checksum (RFC 3533 section 6): the polynomial 0x04c11db7, nothing turned around.
fn checksum(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet) << 24, |sum: u32, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}
