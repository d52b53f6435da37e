//! The made-up voice of the fixtures: three phrases in eight seconds.

/// Excitation of the voice at a time.
pub struct Syllable {
    pub voiced: f32,
    pub hissed: f32,
    pub pitch_hz: f32,
    pub formants_hz: [f32; 4],
}

const VOWELS_HZ: [[f32; 2]; 6] =
    [[720.0, 1240.0], [310.0, 2250.0], [470.0, 1850.0], [560.0, 920.0], [330.0, 850.0], [640.0, 1700.0]];

/// Excitation of the voice `t` seconds after the start.
pub fn syllable(t: f32) -> Syllable {
    // Begin, length, vowel, and whether it begins with a hiss: three phrases in eight seconds.
    const SYLLABLES: [(f32, f32, usize, bool); 22] = [
        (0.55, 0.18, 0, true),
        (0.76, 0.13, 2, false),
        (0.92, 0.24, 1, false),
        (1.22, 0.12, 3, true),
        (1.38, 0.20, 5, false),
        (1.62, 0.30, 4, false),
        (2.60, 0.14, 1, true),
        (2.77, 0.22, 0, false),
        (3.03, 0.12, 4, false),
        (3.20, 0.16, 2, true),
        (3.42, 0.34, 3, false),
        (4.02, 0.15, 5, false),
        (4.20, 0.12, 1, true),
        (4.37, 0.28, 0, false),
        (5.42, 0.16, 3, false),
        (5.60, 0.12, 2, true),
        (5.77, 0.20, 1, false),
        (6.01, 0.13, 5, false),
        (6.20, 0.30, 0, true),
        (6.72, 0.14, 4, false),
        (6.90, 0.17, 2, true),
        (7.12, 0.42, 1, false),
    ];
    let pitch_hz = 118.0 + 26.0 * (2.1 * t).sin() + 9.0 * (5.3 * t).sin();
    let silent =
        Syllable { voiced: 0.0, hissed: 0.0, pitch_hz, formants_hz: [500.0, 1500.0, 2600.0, 3600.0] };
    let Some(n) = SYLLABLES.iter().rposition(|(begin, ..)| t >= *begin - 0.07) else { return silent };
    let (begin, length, vowel, hisses) = SYLLABLES[n];
    let next = VOWELS_HZ[SYLLABLES[(n + 1) % SYLLABLES.len()].2];
    let phase = ((t - begin) / length).clamp(0.0, 1.0);
    let formants_hz =
        [0, 1].map(|i| VOWELS_HZ[vowel][i] + (next[i] - VOWELS_HZ[vowel][i]) * phase * phase * 0.6);
    let window = |from: f32, until: f32| {
        let x = ((t - from) / (until - from)).clamp(0.0, 1.0);
        (4.0 * x * (1.0 - x)).powf(0.55)
    };
    Syllable {
        voiced: window(begin, begin + length) * if n % 3 == 2 { 1.0 } else { 0.65 },
        hissed: if hisses { window(begin - 0.07, begin + 0.04) } else { 0.0 },
        pitch_hz,
        formants_hz: [formants_hz[0], formants_hz[1], 2_600.0, 3_500.0],
    }
}
