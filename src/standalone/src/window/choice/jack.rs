//! The choice of a JACK server's ports.

use super::{Refusal, Wishes};

/// A JACK server that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Jack {
    /// Its sample rate, in hertz.
    pub rate_hz: usize,
    /// Its samples per callback.
    pub buffer: u32,
    /// Ports of sound cards that deliver sound, in order.
    pub inputs: Vec<String>,
    /// Ports of sound cards that take sound, in order.
    pub outputs: Vec<String>,
    /// All ports that deliver sound, programs' among them.
    pub all_inputs: Vec<String>,
    /// All ports that take sound.
    pub all_outputs: Vec<String>,
}

/// Refuses what only a JACK server decides.
///
/// # Errors
/// [`Refusal::Server`] with what to do.
pub fn check(jack: &Jack, wishes: &Wishes) -> Result<(), Refusal> {
    let has = |what, asked: Option<u32>, has: u32, option| match asked {
        Some(asked) if asked != has => Err(Refusal::Server { what, asked, has, option }),
        _ => Ok(()),
    };
    has("Hz", wishes.rate_hz, jack.rate_hz as u32, "--rate")?;
    has("samples", wishes.buffer, jack.buffer, "--buffer")
}

/// Ports of sound cards to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// A port for each channel of the input, one or two.
    pub inputs: Vec<String>,
    /// One or two ports that play the output: a channel each of a stereo output, and a mono output on all of them.
    pub outputs: Vec<String>,
}

/// The JACK ports that are named, with commas between, or the first two of the first sound card; servers list the default
/// one first.
///
/// # Errors
/// There is no input, or a port that is named is not there.
pub fn ports(jack: &Jack, wishes: &Wishes) -> Result<Ports, Refusal> {
    let inputs = ports_of("input", &jack.inputs, &jack.all_inputs, wishes.input.as_deref())?;
    if inputs.is_empty() {
        return Err(Refusal::NoInput);
    }
    Ok(Ports {
        inputs,
        outputs: ports_of("output", &jack.outputs, &jack.all_outputs, wishes.output.as_deref())?,
    })
}

/// One or two ports: those that are named, of `all`, or the first sound card's.
fn ports_of(
    what: &'static str,
    of_cards: &[String],
    all: &[String],
    wish: Option<&str>,
) -> Result<Vec<String>, Refusal> {
    let ports: Vec<String> = match wish {
        Some(wish) => named(wish, all).map_err(|name| Refusal::Unknown { what, name })?,
        None => {
            let card = |port: &String| port.rsplit_once(':').map(|(card, _)| card.to_owned());
            let first = of_cards.first().and_then(card);
            of_cards.iter().filter(|port| card(port) == first).cloned().collect()
        }
    };
    Ok(ports.into_iter().take(2).collect())
}

/// The ports of `all` that are named, with commas between; names may have some of their own.
///
/// # Errors
/// The name of none.
fn named(wish: &str, all: &[String]) -> Result<Vec<String>, String> {
    let mut ports = Vec::new();
    let mut rest = Some(wish);
    while let Some(left) = rest {
        let behind = |port: &String| match left.strip_prefix(port.as_str())? {
            "" => Some(None),
            more => more.strip_prefix(',').map(Some),
        };
        let fitting = all.iter().filter_map(|port| Some((port, behind(port)?)));
        let Some((port, behind)) = fitting.max_by_key(|(port, _)| port.len()) else {
            return Err(left.split(',').next().unwrap_or(left).to_owned());
        };
        ports.push(port.clone());
        rest = behind;
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_jack_options_that_cannot_act_are_refused_with_a_reason() {
        let outputs = vec!["s:1".to_owned()];
        let jack = Jack {
            rate_hz: 48_000,
            buffer: 64,
            inputs: Vec::new(),
            outputs: outputs.clone(),
            all_inputs: Vec::new(),
            all_outputs: outputs,
        };
        let wishes = |rate_hz, buffer, output: Option<&str>| Wishes {
            rate_hz,
            buffer,
            output: output.map(Into::into),
            input: None,
        };
        assert_eq!(check(&jack, &wishes(Some(48_000), Some(64), Some("s:1"))), Ok(()));
        assert_eq!(check(&jack, &wishes(None, None, None)), Ok(()));
        for (refused, says) in
            [(wishes(Some(44_100), None, None), "--rate"), (wishes(None, Some(256), None), "--buffer")]
        {
            let text = check(&jack, &refused).unwrap_err().to_string();
            assert!(text.contains(says) && text.contains("--backend system"), "{text}");
        }
    }

    #[test]
    fn jack_takes_the_first_sound_cards_first_two_ports() {
        let names = |ports: &[&str]| ports.iter().map(|&port| port.to_owned()).collect::<Vec<_>>();
        let chosen = |inputs: &[&str], outputs: &[&str], input: Option<&str>, output: Option<&str>| {
            let (inputs, outputs) = (names(inputs), names(outputs));
            let all_inputs = [&inputs[..], &["synth:out".to_owned()]].concat();
            let wishes =
                Wishes { input: input.map(Into::into), output: output.map(Into::into), ..Wishes::default() };
            let all_outputs = outputs.clone();
            ports(&Jack { rate_hz: 48_000, buffer: 64, inputs, outputs, all_inputs, all_outputs }, &wishes)
        };
        let inputs = |listed: &[&str], wish| chosen(listed, &[], wish, None).map(|ports| ports.inputs);
        assert_eq!(inputs(&["s:1", "s:2", "s:3"], None).unwrap(), ["s:1", "s:2"]);
        assert_eq!(inputs(&["s:1"], None).unwrap(), ["s:1"]);
        assert_eq!(inputs(&["mic:mono", "line:1", "line:2"], None).unwrap(), ["mic:mono"]);
        assert_eq!(inputs(&["s:1", "s:2"], Some("s:2")).unwrap(), ["s:2"]);
        assert_eq!(inputs(&["s:1", "s:2"], Some("s:2,s:1")).unwrap(), ["s:2", "s:1"]);
        assert_eq!(inputs(&["s:1"], Some("synth:out")).unwrap(), ["synth:out"]);
        let with_commas = ["Mic, USB:1", "Mic, USB:2", "Mic"];
        assert_eq!(
            inputs(&with_commas, Some("Mic, USB:2,Mic, USB:1")).unwrap(),
            ["Mic, USB:2", "Mic, USB:1"]
        );
        assert_eq!(inputs(&with_commas, Some("Mic")).unwrap(), ["Mic"]);
        assert_eq!(inputs(&[], None), Err(Refusal::NoInput));
        assert!(inputs(&["s:1"], Some("s:1,s:9")).is_err());
        let outputs = |wish| chosen(&["s:1"], &["s:3", "s:4", "t:1"], None, wish).map(|ports| ports.outputs);
        assert_eq!(outputs(None).unwrap(), ["s:3", "s:4"]);
        assert_eq!(outputs(Some("t:1")).unwrap(), ["t:1"]);
        assert_eq!(outputs(Some("t:2")), Err(Refusal::Unknown { what: "output", name: "t:2".into() }));
    }
}
