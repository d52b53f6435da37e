//! A small model of the architecture and the files that hold it, for tests.

use std::collections::BTreeMap;
use std::io::Write;

use crate::onnx::writing::Writer;
use crate::{Config, Layout, Model, ModelKind, Tensor};

/// The graphs of an archive.
pub(crate) const GRAPHS: [&str; 3] = ["enc", "erb_dec", "df_dec"];

/// The smallest hyper-parameters that still have every kind of layer.
pub(crate) fn small_config() -> Config {
    Config {
        kind: ModelKind::DeepFilterNet3,
        norm_alpha: 0.99,
        conv_lookahead: 2,
        df_lookahead: 2,
        conv_kernel_t: 1,
        enc_linear_groups: 512,
        linear_groups: 16,
        emb_hidden: 16,
        n_erb_dec_gru: 2,
        df_hidden: 16,
        n_df_gru: 1,
    }
}

/// Its tensors, every value different.
pub(crate) fn small_tensors() -> BTreeMap<String, Tensor> {
    let mut next = 0.0;
    let mut value = || {
        next += 0.25;
        next
    };
    let layout = Layout::new(&small_config());
    let tensor = |(name, shape): (&str, &[usize])| {
        let data = (0..shape.iter().product()).map(|_| value()).collect();
        (name.to_owned(), Tensor { shape: shape.to_vec(), data })
    };
    layout.iter().map(tensor).collect()
}

/// The model of these tensors, as read from its archive.
pub(crate) fn small_model() -> Model {
    Model::from_archive(&small_archive()).unwrap()
}

/// The graph of that name with all tensors that belong to it.
pub fn graph(name: &str, tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let mut writer = Writer::default();
    let layers = tensors.keys().filter(|tensor| tensor.starts_with(&format!("{name}.")));
    for tensor in layers.filter(|tensor| tensor.to_lowercase().ends_with(".w")) {
        let weight = &tensors[tensor];
        let base = &tensor[..tensor.len() - 2];
        let bias = tensors.get(&format!("{base}.b"));
        let mut parts = base.split('.').skip(1);
        let (layer, part) = (parts.next().unwrap(), parts.next().unwrap_or("0"));
        match (weight.shape.len(), bias) {
            (_, Some(bias)) if part.starts_with("gru") => {
                let directed = [weight, &tensors[&format!("{base}.R")], bias].map(with_direction);
                writer.node("GRU", &format!("/{layer}/GRU"), &directed.each_ref());
            }
            (2, Some(bias)) => {
                writer.node("MatMul", &format!("/{layer}/0/MatMul"), &[weight]);
                writer.node("Add", &format!("/{layer}/0/Add"), &[bias]);
            }
            (3, _) => writer.node("Einsum", &format!("/{layer}/{part}/Einsum"), &[weight]),
            (_, Some(bias)) => writer.node("Conv", &format!("/{layer}/{part}/Conv"), &[weight, bias]),
            (_, None) => writer.node("Conv", &format!("/{layer}/{part}/Conv"), &[weight]),
        }
    }
    writer.finish()
}

/// Paths and contents of the model's archive.
pub(crate) fn small_members() -> Vec<(String, Vec<u8>)> {
    let mut members: Vec<_> =
        GRAPHS.iter().map(|name| (format!("{name}.onnx"), graph(name, &small_tensors()))).collect();
    members.push(("config.ini".into(), small_config().to_ini().into_bytes()));
    members
}

/// The model's archive.
pub(crate) fn small_archive() -> Vec<u8> {
    pack(&small_members())
}

/// A tar.gz with these members, paths taken as they are.
pub fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, data) in members {
        let mut header = tar::Header::new_gnu();
        // Not `set_path`: it refuses paths that a hostile archive may have.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, data.as_slice()).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

/// A gzip file.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn with_direction(tensor: &Tensor) -> Tensor {
    let mut shape = tensor.shape.clone();
    shape.insert(0, 1);
    Tensor { shape, data: tensor.data.clone() }
}
