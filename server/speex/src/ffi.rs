//! What is used of libspeex 1.2 (`speex.h`, `speex_bits.h`).

use crate::{Band, Error};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;

/// `struct SpeexBits`, filled by the library's own functions.
#[repr(C)]
pub struct Bits {
    octets: *mut c_char,
    bits: c_int,
    octet_at: c_int,
    bit_at: c_int,
    owner: c_int,
    overflow: c_int,
    size: c_int,
    reserved: c_int,
    reserved_pointer: *mut c_void,
}

impl Bits {
    /// What `speex_bits_init_buffer` and `speex_bits_set_bit_buffer` fill.
    pub const EMPTY: Bits = Bits {
        octets: std::ptr::null_mut(),
        bits: 0,
        octet_at: 0,
        bit_at: 0,
        owner: 0,
        overflow: 0,
        size: 0,
        reserved: 0,
        reserved_pointer: std::ptr::null_mut(),
    };
}

/// An encoder's or decoder's state as the library hands it out.
pub type State = NonNull<c_void>;

/// `SPEEX_SET_QUALITY`, 0 to 10.
pub const SET_QUALITY: c_int = 4;
/// `SPEEX_SET_VBR`.
pub const SET_VBR: c_int = 12;
/// `SPEEX_SET_COMPLEXITY`, 1 to 10.
pub const SET_COMPLEXITY: c_int = 16;
/// `SPEEX_SET_PLC_TUNING`, the loss to reckon with in percent.
pub const SET_PLC_TUNING: c_int = 40;
/// `SPEEX_RESET_STATE`, without an argument.
pub const RESET_STATE: c_int = 26;

unsafe extern "C" {
    fn speex_lib_get_mode(mode: c_int) -> *const c_void;
    fn speex_encoder_init(mode: *const c_void) -> *mut c_void;
    fn speex_decoder_init(mode: *const c_void) -> *mut c_void;
    pub fn speex_encoder_destroy(state: *mut c_void);
    pub fn speex_decoder_destroy(state: *mut c_void);
    pub fn speex_encoder_ctl(state: *mut c_void, request: c_int, argument: *mut c_void) -> c_int;
    pub fn speex_decoder_ctl(state: *mut c_void, request: c_int, argument: *mut c_void) -> c_int;
    pub fn speex_encode_int(state: *mut c_void, pcm: *mut i16, bits: *mut Bits) -> c_int;
    pub fn speex_decode(state: *mut c_void, bits: *mut Bits, pcm: *mut f32) -> c_int;
    pub fn speex_bits_init_buffer(bits: *mut Bits, buffer: *mut c_void, size: c_int);
    pub fn speex_bits_set_bit_buffer(bits: *mut Bits, buffer: *mut c_void, size: c_int);
    pub fn speex_bits_write(bits: *mut Bits, out: *mut c_char, most: c_int) -> c_int;
}

/// `speex_nb_mode` or `speex_wb_mode`.
fn mode(band: Band) -> *const c_void {
    // SAFETY: a look-up in a constant table, by one of the indices that it has.
    unsafe { speex_lib_get_mode(band as c_int) }
}

/// A new encoder's state.
pub fn encoder(band: Band) -> Result<State, Error> {
    // SAFETY: the mode is one of the library's own.
    let state = unsafe { speex_encoder_init(mode(band)) };
    NonNull::new(state).ok_or(Error::Unavailable)
}

/// A new decoder's state.
pub fn decoder(band: Band) -> Result<State, Error> {
    // SAFETY: the mode is one of the library's own.
    let state = unsafe { speex_decoder_init(mode(band)) };
    NonNull::new(state).ok_or(Error::Unavailable)
}
