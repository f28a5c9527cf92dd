//! The matrix and dot-product instructions of x86 processors.

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid_count, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_dpbf16_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_storeu_ps,
};

use super::block::{Addend, BLOCK, Block, STEP};

/// Whether the processor has tiles and the system allows their use: on Linux a process requests
/// them once, with `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`.
pub(super) fn has_tiles() -> bool {
    if !cfg!(target_os = "linux") || !is_x86_feature_detected!("avx512f") {
        return false;
    }
    // Leaf 7: EDX bit 22 is AMX-BF16, bit 24 AMX-TILE. Older processors leave both clear.
    let bits = __cpuid_count(7, 0).edx;
    if bits & (1 << 22) == 0 || bits & (1 << 24) == 0 {
        return false;
    }
    let result: i64;
    // SAFETY: the system call takes two integers, does not touch our memory, and clobbers only what
    // every system call does. Systems that do not know it return an error.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") 158_i64 => result,
            in("rdi") 0x1023_i64,
            in("rsi") 18_i64,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Begins to load the cache line at an address, which may be any.
#[inline(always)]
pub(super) fn prefetch<T>(at: *const T) {
    // SAFETY: a hint, which neither faults nor changes memory, wherever the address points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

/// Shapes of the eight tiles: 16 rows of 64 bytes each.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPES: Shapes = Shapes {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Configures this thread's tiles.
///
/// # Safety
///
/// [`has_tiles`] must have returned true.
pub(super) unsafe fn configure_tiles() {
    // SAFETY: the caller guarantees tiles; the shapes are valid and only read.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack, readonly)) }
}

/// Releases this thread's tiles.
///
/// # Safety
///
/// [`has_tiles`] must have returned true.
pub(super) unsafe fn release_tiles() {
    // SAFETY: the caller guarantees tiles.
    unsafe { asm!("tilerelease", options(nostack, nomem)) }
}

/// The product with tiles: 0, 1 and 2 accumulate the result, 3 holds `a`, and 4, 5 and 6 hold `b`.
///
/// # Safety
///
/// The machine must have tiles, the thread must have configured them, and the slices must hold
/// the block.
pub(super) unsafe fn tiles(block: &mut Block<'_>) {
    let out = block.out.as_mut_ptr();
    let (start, start_pitch) = match block.start {
        Addend::Zero => (std::ptr::null(), 0),
        Addend::Rows(rows) => (rows.as_ptr(), block.registers * BLOCK * 4),
        Addend::Out => (out.cast_const(), block.pitch * 4),
    };
    let (steps, b_bytes) = (block.inner / STEP, block.b_pitch * 4);
    macro_rules! multiply {
        ($load:literal, $step:literal, $store:literal) => {
            asm!(
                "test {start}, {start}",
                "jz 3f",
                $load,
                "jmp 2f",
                "3:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "2:",
                "tileloadd tmm3, [{a} + {a_pitch}]",
                $step,
                "add {a}, 64",
                "add {b}, {b_step}",
                "dec {steps}",
                "jnz 2b",
                $store,
                a = inout(reg) block.a.as_ptr() => _,
                a_pitch = in(reg) block.a_pitch * 2,
                b = inout(reg) block.b.as_ptr() => _,
                b_pitch = in(reg) b_bytes,
                b_step = in(reg) b_bytes * BLOCK,
                steps = inout(reg) steps => _,
                start = in(reg) start,
                start_pitch = in(reg) start_pitch,
                out = in(reg) out,
                pitch = in(reg) block.pitch * 4,
                options(nostack),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _,
            )
        };
    }
    // SAFETY: the caller guarantees tiles and slices that hold the block. The loop reads, `steps`
    // times, 16 rows of 64 bytes of `a`, and as much of `b` for each register; the start and the
    // result are 16 rows of 64 bytes for each register.
    unsafe {
        match block.registers {
            1 => multiply!(
                "tileloadd tmm0, [{start} + {start_pitch}]",
                "tileloadd tmm4, [{b} + {b_pitch}]
                 tdpbf16ps tmm0, tmm3, tmm4",
                "tilestored [{out} + {pitch}], tmm0"
            ),
            2 => multiply!(
                "tileloadd tmm0, [{start} + {start_pitch}]
                 tileloadd tmm1, [{start} + {start_pitch} + 64]",
                "tileloadd tmm4, [{b} + {b_pitch}]
                 tileloadd tmm5, [{b} + {b_pitch} + 64]
                 tdpbf16ps tmm0, tmm3, tmm4
                 tdpbf16ps tmm1, tmm3, tmm5",
                "tilestored [{out} + {pitch}], tmm0
                 tilestored [{out} + {pitch} + 64], tmm1"
            ),
            _ => multiply!(
                "tileloadd tmm0, [{start} + {start_pitch}]
                 tileloadd tmm1, [{start} + {start_pitch} + 64]
                 tileloadd tmm2, [{start} + {start_pitch} + 128]",
                "tileloadd tmm4, [{b} + {b_pitch}]
                 tileloadd tmm5, [{b} + {b_pitch} + 64]
                 tileloadd tmm6, [{b} + {b_pitch} + 128]
                 tdpbf16ps tmm0, tmm3, tmm4
                 tdpbf16ps tmm1, tmm3, tmm5
                 tdpbf16ps tmm2, tmm3, tmm6",
                "tilestored [{out} + {pitch}], tmm0
                 tilestored [{out} + {pitch} + 64], tmm1
                 tilestored [{out} + {pitch} + 128], tmm2"
            ),
        }
    }
}

/// The same product, with dot products of pairs.
///
/// # Safety
///
/// The machine must have AVX-512 BF16, and the slices must hold the block.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn dots(block: &mut Block<'_>) {
    for first in [0, BLOCK / 2] {
        // SAFETY: as the caller guarantees.
        unsafe {
            match block.registers {
                1 => eight_rows::<1>(block, first),
                2 => eight_rows::<2>(block, first),
                _ => eight_rows::<3>(block, first),
            }
        }
    }
}

/// Eight rows of the product, starting at `first`.
///
/// # Safety
///
/// As for [`dots`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn eight_rows<const N: usize>(block: &mut Block<'_>, first: usize) {
    const ROWS: usize = BLOCK / 2;
    // SAFETY: the caller guarantees slices that hold a block of 16 rows, `inner` numbers of `a`
    // and of `b` (as pairs), and N registers. Each pair of `a` is read as one unaligned 32-bit
    // number.
    unsafe {
        let out = block.out.as_mut_ptr().add(first * block.pitch);
        let mut sums = [[_mm512_setzero_ps(); N]; ROWS];
        for r in 0..ROWS {
            for n in 0..N {
                sums[r][n] = match block.start {
                    Addend::Zero => _mm512_setzero_ps(),
                    Addend::Rows(rows) => {
                        _mm512_loadu_ps(rows.as_ptr().add(((first + r) * N + n) * BLOCK))
                    }
                    Addend::Out => _mm512_loadu_ps(out.add(r * block.pitch + n * BLOCK)),
                };
            }
        }
        let a = block.a.as_ptr().add(first * block.a_pitch);
        for pair in 0..block.inner / 2 {
            let b = block.b.as_ptr().add(pair * block.b_pitch);
            let mut row = [_mm512_setzero_si512(); N];
            for (n, row) in row.iter_mut().enumerate() {
                *row = _mm512_loadu_si512(b.add(n * BLOCK).cast());
            }
            for r in 0..ROWS {
                let a = a.add(r * block.a_pitch + 2 * pair).cast::<i32>().read_unaligned();
                let a = as_bf16(_mm512_set1_epi32(a));
                for n in 0..N {
                    sums[r][n] = _mm512_dpbf16_ps(sums[r][n], a, as_bf16(row[n]));
                }
            }
        }
        for r in 0..ROWS {
            for n in 0..N {
                _mm512_storeu_ps(out.add(r * block.pitch + n * BLOCK), sums[r][n]);
            }
        }
    }
}

/// The same bits as the type that the dot product takes.
#[inline(always)]
fn as_bf16(pairs: __m512i) -> __m512bh {
    // SAFETY: both types are 512 bits without invalid values.
    unsafe { std::mem::transmute(pairs) }
}
