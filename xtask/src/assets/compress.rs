//! Compressed variants beside each file, made once so that the server never compresses.

use crate::files::Tree;
use flate2::{Compression, GzBuilder};
use std::io::Write;

/// Brotli's slowest and smallest; the files are built once and sent often.
const BROTLI_QUALITY: i32 = 11;
/// Brotli's window, as a power of two: 4 MB, more than any file here.
const BROTLI_WINDOW: i32 = 22;

/// The tree, and beside every file `.br` and `.gz` where they are smaller than it.
pub fn with_variants(plain: Tree) -> Tree {
    let mut all = Tree::new();
    for (name, contents) in plain {
        for (ending, compressed) in [("br", brotli(&contents)), ("gz", gzip(&contents))] {
            if compressed.len() < contents.len() {
                all.insert(format!("{name}.{ending}"), compressed);
            }
        }
        all.insert(name, contents);
    }
    all
}

fn brotli(contents: &[u8]) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        size_hint: contents.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    // Reading from and writing to memory does not fail; an empty answer would be left out.
    match brotli::BrotliCompress(&mut &contents[..], &mut out, &parameters) {
        Ok(_) => out,
        Err(_) => contents.to_vec(),
    }
}

fn gzip(contents: &[u8]) -> Vec<u8> {
    // No file name and no time in the header: the same input is the same output.
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let written = encoder.write_all(contents);
    match written.and_then(|()| encoder.finish()) {
        Ok(out) => out,
        Err(_) => contents.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;

    #[test]
    fn variants_hold_what_the_file_holds() {
        let text = "a store page with a Call button\n".repeat(50).into_bytes();
        let all = with_variants(Tree::from([("x.js".into(), text.clone())]));
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&all["x.js.gz"][..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, text);
        plain.clear();
        brotli::BrotliDecompress(&mut &all["x.js.br"][..], &mut plain).unwrap();
        assert_eq!(plain, text);
    }

    #[test]
    fn a_file_that_does_not_shrink_has_no_variants() {
        let all = with_variants(Tree::from([("x".into(), vec![7])]));
        assert_eq!(all.keys().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn the_same_input_is_the_same_output() {
        let tree = || Tree::from([("x.js".into(), b"let a = 1;".repeat(40))]);
        assert_eq!(with_variants(tree()), with_variants(tree()));
    }
}
