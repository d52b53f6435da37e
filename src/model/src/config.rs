//! Reads a model's `config.ini`: the values that may differ, and a check of those that may not.

use configparser::ini::Ini;

use crate::{
    DF_GRU_LINEAR_GROUPS, DF_ORDER, DF_PATHWAY_KERNEL_T, HOP, INPUT_KERNEL, KERNEL_F, LSNR_MAX_DB,
    LSNR_MIN_DB, MIN_BAND_BINS, ModelError, ModelKind, N_BANDS, N_CONV, N_DF_BINS, N_EMB, N_FFT,
    SAMPLE_RATE_HZ,
};

/// Most frames that a convolution may span; published models have 1 and 2.
pub const MAX_KERNEL_T: usize = 8;
/// Widest GRU; published models have 256 and 512.
const MAX_HIDDEN: usize = 2048;
/// Most GRU layers of a decoder; published models have 2 and 3.
const MAX_GRU_LAYERS: usize = 8;

const TRAIN: &str = "train";
const DF: &str = "df";
const NET: &str = "deepfilternet";

/// Hyper-parameters in which models of the architecture differ. What they share stands in the constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The published model it is, or descends from: no lookahead means the low-latency one.
    pub kind: ModelKind,
    /// Smoothing factor of the features' normalisation, within 0..1 (exclusive).
    pub norm_alpha: f32,
    /// Future hops that the convolutions see.
    pub conv_lookahead: usize,
    /// Future hops that the deep filter sees; equal to `conv_lookahead`.
    pub df_lookahead: usize,
    /// Frames that `erb_conv1..3`, `df_conv1`, `convt3` and `conv0_out` span.
    pub conv_kernel_t: usize,
    /// Groups of the encoder's `df_fc_emb`.
    pub enc_linear_groups: usize,
    /// Groups of every other linear layer, but for the deep-filter decoder's first.
    pub linear_groups: usize,
    /// Width of the GRUs of the encoder and the ERB decoder.
    pub emb_hidden: usize,
    /// GRU layers of the ERB decoder; the encoder has one.
    pub n_erb_dec_gru: usize,
    /// Width of the deep-filter decoder's GRUs.
    pub df_hidden: usize,
    /// GRU layers of the deep-filter decoder.
    pub n_df_gru: usize,
}

impl Config {
    /// Reads the text of a `config.ini`.
    ///
    /// # Errors
    /// [`ModelError::Ini`] for other text; [`ModelError::Config`] naming the value that is missing or not supported.
    pub fn from_ini(text: &str) -> Result<Self, ModelError> {
        Self::from_sections(&read_ini(text)?)
    }

    /// Writes the text that [`from_ini`](Self::from_ini) reads back to the same configuration.
    pub fn to_ini(&self) -> String {
        let Self { norm_alpha, conv_lookahead, df_lookahead, conv_kernel_t, enc_linear_groups, .. } = self;
        let Self { linear_groups, emb_hidden, df_hidden, n_df_gru, .. } = self;
        let emb_num_layers = self.n_erb_dec_gru + 1;
        format!(
            "[{TRAIN}]\nmodel = deepfilternet3\n\n\
             [{DF}]\nsr = {SAMPLE_RATE_HZ}\nfft_size = {N_FFT}\nhop_size = {HOP}\nnb_erb = {N_BANDS}\n\
             nb_df = {N_DF_BINS}\nmin_nb_erb_freqs = {MIN_BAND_BINS}\nlsnr_min = {LSNR_MIN_DB}\n\
             lsnr_max = {LSNR_MAX_DB}\nnorm_alpha = {norm_alpha}\ndf_order = {DF_ORDER}\n\
             df_lookahead = {df_lookahead}\n\n\
             [{NET}]\nconv_lookahead = {conv_lookahead}\nconv_ch = {N_CONV}\nconv_kernel = {conv_kernel_t},{KERNEL_F}\n\
             conv_kernel_inp = {INPUT_KERNEL},{INPUT_KERNEL}\ndf_pathway_kernel_size_t = {DF_PATHWAY_KERNEL_T}\n\
             enc_linear_groups = {enc_linear_groups}\nlinear_groups = {linear_groups}\n\
             emb_hidden_dim = {emb_hidden}\nemb_num_layers = {emb_num_layers}\ndf_hidden_dim = {df_hidden}\n\
             df_num_layers = {n_df_gru}\ndf_gru_skip = groupedlinear\n"
        )
    }

    /// Hops of lookahead: the network's output of step `t` belongs to frame `t - lookahead`.
    pub fn lookahead(&self) -> usize {
        self.conv_lookahead.max(self.df_lookahead)
    }

    /// Samples from input to output of the hop-synchronous pipeline: overlap and lookahead.
    pub fn delay_samples(&self) -> usize {
        N_FFT - HOP + self.lookahead() * HOP
    }

    pub(crate) fn from_sections(ini: &Ini) -> Result<Self, ModelError> {
        let ini = Sections(ini);
        ini.check_fixed()?;
        let conv_lookahead = ini.number(&[NET], "conv_lookahead", 0..=DF_ORDER - 1)?;
        let df_lookahead = ini.number(&[DF, NET], "df_lookahead", 0..=DF_ORDER - 1)?;
        if conv_lookahead != df_lookahead {
            let reason =
                format!("{df_lookahead} hops, but conv_lookahead is {conv_lookahead}; they must be equal");
            return Err(ModelError::Config { section: DF, key: "df_lookahead", reason });
        }
        let kernel: [usize; 2] = ini.pair("conv_kernel")?;
        if !(1..=MAX_KERNEL_T).contains(&kernel[0]) || kernel[1] != KERNEL_F {
            let reason = format!("{kernel:?} is not [1 to {MAX_KERNEL_T}, {KERNEL_F}]");
            return Err(ModelError::Config { section: NET, key: "conv_kernel", reason });
        }
        let emb_hidden = ini.number(&[NET], "emb_hidden_dim", 1..=MAX_HIDDEN)?;
        let df_hidden = ini.number(&[NET], "df_hidden_dim", 1..=MAX_HIDDEN)?;
        let groups = |key, widths: &[usize]| ini.groups(key, widths);
        let kind = if conv_lookahead == 0 { ModelKind::DeepFilterNet3Ll } else { ModelKind::DeepFilterNet3 };
        if !df_hidden.is_multiple_of(DF_GRU_LINEAR_GROUPS) {
            let reason = format!("{df_hidden} is no multiple of {DF_GRU_LINEAR_GROUPS}");
            return Err(ModelError::Config { section: NET, key: "df_hidden_dim", reason });
        }
        Ok(Self {
            kind,
            norm_alpha: ini.norm_alpha()?,
            conv_lookahead,
            df_lookahead,
            conv_kernel_t: kernel[0],
            enc_linear_groups: groups("enc_linear_groups", &[N_CONV * N_DF_BINS / 2, N_EMB])?,
            linear_groups: groups(
                "linear_groups",
                &[N_EMB, emb_hidden, df_hidden, N_DF_BINS * 2 * DF_ORDER],
            )?,
            emb_hidden,
            n_erb_dec_gru: ini.number(&[NET], "emb_num_layers", 2..=MAX_GRU_LAYERS + 1)? - 1,
            df_hidden,
            n_df_gru: ini.number(&[NET], "df_num_layers", 1..=MAX_GRU_LAYERS)?,
        })
    }
}

/// Parses INI text, names case-sensitive as in the archives.
pub(crate) fn read_ini(text: &str) -> Result<Ini, ModelError> {
    let mut ini = Ini::new_cs();
    ini.read(text.to_owned()).map_err(|reason| ModelError::Ini { reason })?;
    Ok(ini)
}

/// Typed access to the sections; the first section of a list that has the key wins.
struct Sections<'a>(&'a Ini);

impl Sections<'_> {
    fn check_fixed(&self) -> Result<(), ModelError> {
        self.expect(&[TRAIN], "model", None, "deepfilternet3")?;
        let fixed: [(&[&'static str], &'static str, usize); 10] = [
            (&[DF], "sr", SAMPLE_RATE_HZ as usize),
            (&[DF], "fft_size", N_FFT),
            (&[DF], "hop_size", HOP),
            (&[DF], "nb_erb", N_BANDS),
            (&[DF], "nb_df", N_DF_BINS),
            (&[DF], "min_nb_erb_freqs", MIN_BAND_BINS),
            (&[DF, NET], "df_order", DF_ORDER),
            (&[NET], "conv_ch", N_CONV),
            (&[NET], "df_pathway_kernel_size_t", DF_PATHWAY_KERNEL_T),
            (&[NET], "df_n_iter", 1),
        ];
        for (sections, key, value) in fixed {
            // The one that older exporters do not write.
            let default = (key == "df_n_iter").then_some("1");
            self.expect(sections, key, default, &value.to_string())?;
        }
        for (key, value) in [("lsnr_min", LSNR_MIN_DB), ("lsnr_max", LSNR_MAX_DB)] {
            if self.float(DF, key)? != Some(value) {
                return Err(self.unsupported(DF, key, &value.to_string()));
            }
        }
        if self.pair("conv_kernel_inp")? != [INPUT_KERNEL, INPUT_KERNEL] {
            return Err(self.unsupported(NET, "conv_kernel_inp", "3,3"));
        }
        self.expect(&[NET], "convt_kernel", Some("1,3"), "1,3")?;
        self.expect(&[NET], "df_gru_skip", None, "groupedlinear")?;
        self.expect(&[NET], "emb_gru_skip", Some("none"), "none")?;
        self.expect(&[NET], "emb_gru_skip_enc", Some("none"), "none")?;
        self.expect(&[NET], "enc_concat", Some("False"), "False")
    }

    fn text(&self, sections: &[&'static str], key: &'static str) -> Option<String> {
        sections.iter().find_map(|section| self.0.get(section, key))
    }

    fn required(&self, sections: &[&'static str], key: &'static str) -> Result<String, ModelError> {
        let missing = || ModelError::Config { section: sections[0], key, reason: "is missing".into() };
        self.text(sections, key).ok_or_else(missing)
    }

    fn expect(
        &self,
        sections: &[&'static str],
        key: &'static str,
        default: Option<&str>,
        value: &str,
    ) -> Result<(), ModelError> {
        let found = match (self.text(sections, key), default) {
            (Some(found), _) => found,
            (None, Some(default)) => default.into(),
            (None, None) => self.required(sections, key)?,
        };
        if found.replace(' ', "").eq_ignore_ascii_case(value) {
            Ok(())
        } else {
            Err(self.unsupported(sections[0], key, value))
        }
    }

    fn unsupported(&self, section: &'static str, key: &'static str, value: &str) -> ModelError {
        let found = self.text(&[section, NET], key).unwrap_or_default();
        ModelError::Config { section, key, reason: format!("is \"{found}\", only \"{value}\" is supported") }
    }

    fn number(
        &self,
        sections: &[&'static str],
        key: &'static str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, ModelError> {
        let text = self.required(sections, key)?;
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let reason = format!("\"{text}\" is no number from {} to {}", range.start(), range.end());
            ModelError::Config { section: sections[0], key, reason }
        })
    }

    fn pair(&self, key: &'static str) -> Result<[usize; 2], ModelError> {
        let text = self.required(&[NET], key)?;
        let pair =
            text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
        pair.ok_or_else(|| {
            let reason = format!("\"{text}\" is no pair of numbers");
            ModelError::Config { section: NET, key, reason }
        })
    }

    fn float(&self, section: &'static str, key: &'static str) -> Result<Option<f32>, ModelError> {
        let Some(text) = self.text(&[section], key) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number: &f32| number.is_finite());
        let malformed = || ModelError::Config { section, key, reason: format!("\"{text}\" is no number") };
        number.map(Some).ok_or_else(malformed)
    }

    /// A number of groups that divides all of `widths`.
    fn groups(&self, key: &'static str, widths: &[usize]) -> Result<usize, ModelError> {
        let n_groups = self.number(&[NET], key, 1..=N_EMB)?;
        match widths.iter().find(|width| !width.is_multiple_of(n_groups)) {
            None => Ok(n_groups),
            Some(width) => {
                let reason = format!("{n_groups} groups do not divide a layer of {width}");
                Err(ModelError::Config { section: NET, key, reason })
            }
        }
    }

    /// The explicit `norm_alpha`, else the one that `norm_tau` gives.
    fn norm_alpha(&self) -> Result<f32, ModelError> {
        let (key, alpha) = match self.float(DF, "norm_alpha")? {
            Some(alpha) => ("norm_alpha", Some(alpha)),
            None => ("norm_tau", self.float(DF, "norm_tau")?.filter(|tau| *tau > 0.0).map(alpha_of_tau)),
        };
        let within = alpha.filter(|alpha| *alpha > 0.0 && *alpha < 1.0);
        within.ok_or_else(|| {
            let reason = "the smoothing factor that it gives is not within 0 to 1".into();
            ModelError::Config { section: DF, key, reason }
        })
    }
}

/// exp(-hop / tau), rounded to the fewest decimals from three on that keep it below one; `tau_s` in seconds. Training
/// rounded it so, and the difference costs 50 dB of agreement.
fn alpha_of_tau(tau_s: f32) -> f32 {
    let exact = (-(HOP as f32 / SAMPLE_RATE_HZ as f32) / tau_s).exp();
    (3..=f32::DIGITS as i32)
        .map(|decimals| {
            let scale = 10f32.powi(decimals);
            (exact * scale).round() / scale
        })
        .find(|alpha| *alpha < 1.0)
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use crate::testing::small_config;

    /// The values in which the published models differ, as their archives have them.
    fn published(kind: ModelKind) -> Config {
        let low_latency = kind == ModelKind::DeepFilterNet3Ll;
        let (lookahead, hidden) = if low_latency { (0, 512) } else { (2, 256) };
        Config {
            kind,
            norm_alpha: 0.99,
            conv_lookahead: lookahead,
            df_lookahead: lookahead,
            conv_kernel_t: if low_latency { 2 } else { 1 },
            enc_linear_groups: if low_latency { 16 } else { 32 },
            linear_groups: 16,
            emb_hidden: hidden,
            n_erb_dec_gru: 2,
            df_hidden: hidden,
            n_df_gru: if low_latency { 3 } else { 2 },
        }
    }

    #[test]
    fn the_published_models_have_their_published_size() {
        let layout = Layout::new(&published(ModelKind::DeepFilterNet3));
        assert_eq!((layout.n_tensors(), layout.n_parameters()), (66, 2_134_641));
        let layout = Layout::new(&published(ModelKind::DeepFilterNet3Ll));
        assert_eq!((layout.n_tensors(), layout.n_parameters()), (69, 9_739_761));
    }

    #[test]
    fn the_delay_is_overlap_and_lookahead() {
        assert_eq!(published(ModelKind::DeepFilterNet3).delay_samples(), 1440);
        assert_eq!(published(ModelKind::DeepFilterNet3Ll).delay_samples(), 480);
    }

    #[test]
    fn a_written_configuration_reads_the_same() {
        for config in
            [small_config(), published(ModelKind::DeepFilterNet3), published(ModelKind::DeepFilterNet3Ll)]
        {
            assert_eq!(Config::from_ini(&config.to_ini()).unwrap(), config);
        }
    }

    #[test]
    fn alpha_follows_from_tau() {
        // Training's value for both published models.
        assert_eq!(alpha_of_tau(1.0), 0.99);
        // Three decimals would give 1.
        assert_eq!(alpha_of_tau(100.0), 0.9999);
        let ini = small_config().to_ini().replace("norm_alpha = 0.99", "norm_tau = 1");
        assert_eq!(Config::from_ini(&ini).unwrap().norm_alpha, 0.99);
    }

    #[test]
    fn deep_filter_values_may_stand_in_either_section() {
        let ini = small_config().to_ini().replace("df_order = 5\n", "").replace("df_lookahead = 2\n", "");
        let ini = ini.replace("[deepfilternet]\n", "[deepfilternet]\ndf_order = 5\ndf_lookahead = 2\n");
        assert_eq!(Config::from_ini(&ini).unwrap(), small_config());
    }

    #[test]
    fn other_values_are_refused_by_name() {
        let cases = [
            ("model = deepfilternet3", "model = deepfilternet2", "model"),
            ("sr = 48000", "sr = 16000", "sr"),
            ("hop_size = 480", "hop_size = ", "hop_size"),
            ("nb_df = 96\n", "", "nb_df"),
            ("lsnr_min = -15", "lsnr_min = -20", "lsnr_min"),
            ("norm_alpha = 0.99", "norm_alpha = 1", "norm_alpha"),
            ("norm_alpha = 0.99", "norm_tau = 0", "norm_tau"),
            ("norm_alpha = 0.99", "norm_tau = NaN", "norm_tau"),
            ("df_lookahead = 2", "df_lookahead = 1", "df_lookahead"),
            ("conv_lookahead = 2", "conv_lookahead = 7", "conv_lookahead"),
            ("conv_ch = 64", "conv_ch = 16", "conv_ch"),
            ("conv_kernel = 1,3", "conv_kernel = 0,3", "conv_kernel"),
            ("conv_kernel = 1,3", "conv_kernel = three", "conv_kernel"),
            ("conv_kernel_inp = 3,3", "conv_kernel_inp = 1,3", "conv_kernel_inp"),
            ("linear_groups = 16\nemb", "linear_groups = 7\nemb", "linear_groups"),
            ("enc_linear_groups = 512", "enc_linear_groups = 0", "enc_linear_groups"),
            ("emb_hidden_dim = 16", "emb_hidden_dim = 99999999999999999999", "emb_hidden_dim"),
            ("df_hidden_dim = 16", "df_hidden_dim = 20", "df_hidden_dim"),
            ("df_num_layers = 1", "df_num_layers = 100", "df_num_layers"),
            ("df_gru_skip = groupedlinear", "df_gru_skip = none", "df_gru_skip"),
        ];
        for (from, to, key) in cases {
            let ini = small_config().to_ini();
            assert!(ini.contains(from), "{from}");
            let error = Config::from_ini(&ini.replace(from, to)).unwrap_err();
            assert!(
                matches!(&error, ModelError::Config { key: named, .. } if *named == key),
                "{to}: {error}"
            );
        }
    }
}
