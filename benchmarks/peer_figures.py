"""What TFLite Micro and TinyEngine need for the corpus models, measured once and written down here.

Bytes of SRAM are all that the engine needs: the tensor arena, activations and persistent data, for TFLite
Micro; its static buffer, and the image where it keeps one beside it, for TinyEngine. Counts are executed
instructions of one inference after a warm-up on an emulated core (`qemu-system-arm -icount shift=0`), exact
and repeatable; they are not cycles. TFLite Micro is that of August 2026 with CMSIS-NN at -O2, TinyEngine that
of November 2024 at -Ofast. Models with float edges have int8 edges here, for the peers as for tinycc.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TfliteMicro:
    """Bytes of SRAM, and instructions by core with CMSIS-NN; `reference` with the reference kernels."""

    arena_bytes: int
    activation_bytes: int
    m4: int
    m7: int
    m55: int
    m4_reference: int


@dataclass(frozen=True)
class TinyEngine:
    """Bytes of SRAM, and instructions by core; None where it does not compute the model's output.

    sram_bytes: layer by layer.
    patched_bytes: with the best patches set by hand that give the right output.
    claimed_bytes: what its planner allots although the output is wrong or the model is refused.
    note: how the figures are to be read.
    """

    sram_bytes: int | None = None
    patched_bytes: int | None = None
    claimed_bytes: int | None = None
    m4: int | None = None
    m7: int | None = None
    note: str = ""


@dataclass(frozen=True)
class PeerFigures:
    """The peers' figures for one model.

    model: file in the corpus, without its suffix.
    title: for people.
    """

    model: str
    title: str
    tflm: TfliteMicro
    tinyengine: TinyEngine

    @property
    def least_bytes(self) -> int:
        """The least SRAM of any peer, those included whose output is wrong."""
        other = self.tinyengine
        sizes = (self.tflm.arena_bytes, other.sram_bytes, other.patched_bytes, other.claimed_bytes)
        return min(size for size in sizes if size is not None)


PEERS = (
    PeerFigures(
        "mlperf_ad_ae_int8",
        "MLPerf Tiny anomaly detection",
        TfliteMicro(2_580, 768, 582_892, 583_180, 149_927, 1_952_483),
        TinyEngine(3_328, m4=771_920, m7=771_920),
    ),
    PeerFigures(
        "mlperf_kws_dscnn_int8",
        "MLPerf Tiny keyword spotting",
        TfliteMicro(22_820, 16_000, 7_697_711, 7_643_486, 1_813_521, 43_040_118),
        TinyEngine(note="refuses it; its planner: 21,498 bytes", claimed_bytes=21_498),
    ),
    PeerFigures(
        "mlperf_ic_resnet8_int8",
        "MLPerf Tiny image classification",
        TfliteMicro(54_996, 49_728, 29_863_915, 30_026_821, 4_912_111, 107_401_505),
        TinyEngine(note="wrong output", claimed_bytes=125_184),
    ),
    PeerFigures(
        "mlperf_vww_mbv1_int8",
        "MLPerf Tiny visual wake words",
        TfliteMicro(100_708, 73_728, 24_101_518, 24_025_133, 6_557_926, 100_249_506),
        TinyEngine(
            note="wrong output; instructions of a graph altered so that it takes it",
            claimed_bytes=60_728,
            m4=19_711_640,
            m7=19_720_920,
        ),
    ),
    PeerFigures(
        "tflm_person_detect",
        "TFLite Micro person detection",
        TfliteMicro(82_308, 55_296, 22_928_051, 22_715_478, 6_507_720, 95_657_874),
        TinyEngine(note="not tried"),
    ),
    PeerFigures(
        "tflm_micro_speech_int8",
        "TFLite Micro micro speech",
        TfliteMicro(6_836, 5_968, 1_495_353, 1_489_425, 1_008_197, 9_310_783),
        TinyEngine(note="not tried"),
    ),
    PeerFigures(
        "te_vww",
        "MCUNet visual wake words",
        TfliteMicro(219_684, 161_472, 47_934_515, 47_448_513, 11_688_543, 188_519_693),
        TinyEngine(
            93_992,
            patched_bytes=81_552,
            m4=34_747_440,
            m7=34_525_960,
            note="output off by up to 5 steps; in its exact mode 43,351,840 instructions on M4",
        ),
    ),
    PeerFigures(
        "te_detection",
        "MCUNet detection",
        TfliteMicro(379_740, 337_024, 73_063_513, 72_718_816, 19_915_953, 320_766_701),
        TinyEngine(note="wrong output", claimed_bytes=257_448, m4=54_632_480, m7=54_636_600),
    ),
)
