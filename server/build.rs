//! The pages are built before the executable that holds them; this says so instead of failing
//! somewhere in a macro.

fn main() {
    println!("cargo::rerun-if-changed=../assets/dist");
    println!("cargo::rerun-if-changed=build.rs");
    if !std::path::Path::new("../assets/dist/pages/index.html").is_file() {
        println!(
            "cargo::error=assets/dist is missing: run `cargo xtask assets` first (or `cargo xtask \
             demo`, which builds everything)"
        );
    }
}
