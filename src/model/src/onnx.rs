//! A graph's weights by canonical name.
//!
//! Only the few protobuf messages that hold weights are declared, and the graph is walked one message at a time: a
//! hostile file cannot make many small messages into large memory, because large byte fields are slices of the input
//! and the number of kept nodes is bounded.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use prost::bytes::{Buf, Bytes};

use crate::container::floats;
use crate::{Layout, ModelError, Tensor};

/// Most nodes with weights that we keep; the largest published graph has about 60 and 100 constants.
const MAX_NODES: usize = 4096;

/// `ModelProto`, onnx.proto of ONNX 1.13: the graph alone, undecoded.
#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(bytes = "bytes", optional, tag = "7")]
    graph: Option<Bytes>,
}

/// Field numbers of `GraphProto`.
const GRAPH_NODE: usize = 1;
const GRAPH_INITIALIZER: usize = 5;

/// `NodeProto`; attributes undecoded.
#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    attribute: Vec<Bytes>,
}

/// `AttributeProto`: number, text or tensor.
#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(bytes = "bytes", tag = "4")]
    s: Bytes,
    #[prost(message, optional, tag = "5")]
    t: Option<TensorProto>,
}

/// `TensorProto` of floats.
#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;

impl TensorProto {
    fn tensor(&self) -> Result<Tensor, String> {
        if self.data_type != FLOAT {
            return Err(format!("data type {} is not float32", self.data_type));
        }
        if self.data_location != 0 {
            return Err("its data lies in another file".into());
        }
        let shape: Option<Vec<usize>> = self.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        let shape = shape.ok_or("a dimension is negative")?;
        let n_bytes = shape.iter().try_fold(size_of::<f32>(), |size, &dim| size.checked_mul(dim));
        let data = if self.float_data.is_empty() { floats(&self.raw_data) } else { self.float_data.clone() };
        let n_stored = self.raw_data.len() + size_of_val(self.float_data.as_slice());
        if n_bytes != Some(n_stored) {
            return Err(format!("{n_stored} bytes of data do not fill shape {shape:?}"));
        }
        Ok(Tensor { shape, data })
    }
}

/// Adds the weights of one graph to `tensors`, each with the shape that `layout` implies.
pub(crate) fn read_graph(
    graph: &'static str,
    bytes: Bytes,
    layout: &Layout,
    tensors: &mut BTreeMap<String, Tensor>,
) -> Result<(), ModelError> {
    let parsed = Graph::parse(bytes).map_err(|reason| ModelError::Graph { graph, reason })?;
    let mut naming = Naming { graph, layout, tensors, seen: HashMap::new() };
    for node in &parsed.nodes {
        naming.node(node, &parsed.stored)?;
    }
    // A layer that is not there at all is named here, before another graph is read.
    let prefix = format!("{graph}.");
    for (name, _) in layout.iter().filter(|(name, _)| name.starts_with(&prefix)) {
        if !tensors.contains_key(name) {
            return Err(ModelError::MissingTensor { tensor: name.into() });
        }
    }
    Ok(())
}

/// The relevant parts of a graph.
struct Graph {
    /// Nodes that may hold weights, in the order of execution.
    nodes: Vec<NodeProto>,
    /// Initialisers and outputs of `Constant` nodes by their ONNX name: exporters use either for weights.
    stored: HashMap<String, TensorProto>,
}

impl Graph {
    fn parse(bytes: Bytes) -> Result<Self, String> {
        let undecodable = |error: prost::DecodeError| error.to_string();
        let graph = ModelProto::decode(bytes).map_err(undecodable)?.graph.ok_or("it holds no graph")?;
        let mut nodes = Vec::new();
        let mut stored = HashMap::new();
        for field in Fields(graph) {
            let (number, message) = field?;
            match number {
                GRAPH_INITIALIZER => {
                    let tensor = TensorProto::decode(message).map_err(undecodable)?;
                    stored.insert(tensor.name.clone(), tensor);
                }
                GRAPH_NODE => {
                    let node = NodeProto::decode(message).map_err(undecodable)?;
                    match node.op_type.as_str() {
                        "Constant" => {
                            if let (Some(name), Some(value)) =
                                (node.output.first(), attribute(&node, "value")?)
                            {
                                stored.extend(value.t.map(|tensor| (name.clone(), tensor)));
                            }
                        }
                        "Conv" | "ConvTranspose" | "Einsum" | "GRU" | "MatMul" | "Add" => nodes.push(node),
                        _ => {}
                    }
                }
                _ => {}
            }
            if nodes.len() + stored.len() > MAX_NODES {
                return Err(format!("it has more than {MAX_NODES} layers and constants"));
            }
        }
        Ok(Self { nodes, stored })
    }
}

/// An attribute of a node.
fn attribute(node: &NodeProto, name: &str) -> Result<Option<AttributeProto>, String> {
    for bytes in &node.attribute {
        let attribute = AttributeProto::decode(bytes.clone()).map_err(|error| error.to_string())?;
        if attribute.name == name {
            return Ok(Some(attribute));
        }
    }
    Ok(None)
}

/// The length-delimited fields of a protobuf message, as (field number, bytes); others are skipped.
struct Fields(Bytes);

impl Fields {
    fn next_field(&mut self) -> Result<Option<(usize, Bytes)>, String> {
        while self.0.has_remaining() {
            let key = self.varint()?;
            let n_bytes = match key & 7 {
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => 8,
                2 => self.varint()?,
                5 => 4,
                other => return Err(format!("wire type {other} is not known")),
            };
            if n_bytes > self.0.len() {
                return Err("it ends within a field".into());
            }
            let field = self.0.split_to(n_bytes);
            if key & 7 == 2 {
                return Ok(Some((key >> 3, field)));
            }
        }
        Ok(None)
    }

    fn varint(&mut self) -> Result<usize, String> {
        // The same encoding as a length delimiter's.
        prost::decode_length_delimiter(&mut self.0).map_err(|error| error.to_string())
    }
}

impl Iterator for Fields {
    type Item = Result<(usize, Bytes), String>;

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.next_field().transpose();
        if matches!(field, Some(Err(_))) {
            self.0.clear();
        }
        field
    }
}

/// Gives the weights of a graph's nodes their canonical names.
///
/// The first component of a node's name (`/erb_conv1/0/Conv`) is the layer; the rest changes between exports, so the
/// operator and its order within the layer decide.
struct Naming<'a> {
    graph: &'static str,
    layout: &'a Layout,
    tensors: &'a mut BTreeMap<String, Tensor>,
    /// Operators with weights seen so far, by layer.
    seen: HashMap<String, usize>,
}

impl Naming<'_> {
    fn node(&mut self, node: &NodeProto, stored: &HashMap<String, TensorProto>) -> Result<(), ModelError> {
        let mut path = node.name.trim_matches('/').split('/');
        let layer = format!("{}.{}", self.graph, path.next().unwrap_or_default());
        let input = |idx: usize| node.input.get(idx).map(String::as_str).filter(|name| !name.is_empty());
        match node.op_type.as_str() {
            "Conv" | "ConvTranspose" => {
                let base = if self.has(&layer, "w") {
                    layer
                } else {
                    let part = if self.count(&layer) == 0 { "dw" } else { "pw" };
                    format!("{layer}.{part}")
                };
                self.add(format!("{base}.w"), self.weight(&base, input(1), stored)?)?;
                if let Some(bias) = input(2) {
                    self.add(format!("{base}.b"), self.weight(&base, Some(bias), stored)?)?;
                }
            }
            "Einsum" => {
                let base = if self.has(&layer, "w") {
                    layer
                } else {
                    format!("{layer}.{}", path.next().unwrap_or_default())
                };
                self.add(format!("{base}.w"), self.weight(&base, input(1), stored)?)?;
            }
            "MatMul" => self.add(format!("{layer}.w"), self.weight(&layer, input(1), stored)?)?,
            "GRU" => {
                self.check_gru(node)?;
                let base = format!("{layer}.gru{}", self.count(&layer));
                for (role, idx) in [("W", 1), ("R", 2), ("b", 3)] {
                    let mut tensor = self.weight(&base, input(idx), stored)?;
                    // ONNX has a leading axis for the direction.
                    if tensor.shape.first() == Some(&1) {
                        tensor.shape.remove(0);
                    }
                    self.add(format!("{base}.{role}"), tensor)?;
                }
            }
            // A dense layer's bias; all other additions have no weights.
            "Add" if self.has(&layer, "b") => {
                let bias = [input(0), input(1)].into_iter().flatten().find(|name| stored.contains_key(*name));
                self.add(format!("{layer}.b"), self.weight(&layer, bias, stored)?)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn has(&self, layer: &str, role: &str) -> bool {
        self.layout.shape(&format!("{layer}.{role}")).is_some()
    }

    /// How many operators of the layer came before; counts this one.
    fn count(&mut self, layer: &str) -> usize {
        let seen = self.seen.entry(layer.to_owned()).or_default();
        *seen += 1;
        *seen - 1
    }

    fn weight(
        &self,
        layer: &str,
        name: Option<&str>,
        stored: &HashMap<String, TensorProto>,
    ) -> Result<Tensor, ModelError> {
        let proto = name.and_then(|name| stored.get(name));
        let proto = proto.ok_or_else(|| self.error(format!("layer {layer} has no stored weights")))?;
        proto.tensor().map_err(|reason| self.error(format!("weights of layer {layer}: {reason}")))
    }

    fn add(&mut self, name: String, tensor: Tensor) -> Result<(), ModelError> {
        let Some(expected) = self.layout.shape(&name) else {
            return Err(ModelError::UnknownTensor { tensor: name });
        };
        if tensor.shape != expected {
            return Err(ModelError::Shape { tensor: name, expected: expected.to_vec(), found: tensor.shape });
        }
        match self.tensors.insert(name.clone(), tensor) {
            None => Ok(()),
            Some(_) => Err(self.error(format!("two layers claim tensor {name}"))),
        }
    }

    /// The bias inside the reset product, and one direction: what every engine here computes.
    fn check_gru(&self, node: &NodeProto) -> Result<(), ModelError> {
        let find = |name| attribute(node, name).map_err(|reason| self.error(reason));
        let linear_before_reset = find("linear_before_reset")?.is_some_and(|attribute| attribute.i == 1);
        let forward = find("direction")?.is_none_or(|attribute| attribute.s.as_ref() == b"forward");
        if linear_before_reset && forward {
            Ok(())
        } else {
            Err(self.error(format!("GRU {} is not forward with linear_before_reset", node.name)))
        }
    }

    fn error(&self, reason: String) -> ModelError {
        ModelError::Graph { graph: self.graph, reason }
    }
}

#[cfg(test)]
pub(crate) mod writing;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{GRAPHS, graph, small_config, small_tensors};

    fn read_all(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, ModelError> {
        let mut read = BTreeMap::new();
        for name in GRAPHS {
            read_graph(name, graph(name, tensors).into(), &Layout::new(&small_config()), &mut read)?;
        }
        Ok(read)
    }

    #[test]
    fn weights_get_their_canonical_names_however_they_are_stored() {
        let tensors = small_tensors();
        assert_eq!(read_all(&tensors).unwrap(), tensors);
    }

    #[test]
    fn every_tensor_of_another_shape_is_named() {
        for name in small_tensors().keys() {
            let mut tensors = small_tensors();
            let tensor = tensors.get_mut(name).unwrap();
            // Still a tensor of its kind, so that the writer puts it where the original was.
            let axis = tensor.shape.iter().position(|&dim| dim > 1).unwrap_or(0);
            tensor.shape[axis] += 1;
            tensor.data = vec![0.5; tensor.shape.iter().product()];
            let error = read_all(&tensors).unwrap_err();
            assert!(matches!(&error, ModelError::Shape { tensor, .. } if tensor == name), "{name}: {error}");
        }
    }

    #[test]
    fn a_missing_layer_is_named() {
        let mut tensors = small_tensors();
        tensors.retain(|name, _| !name.starts_with("enc.df_fc_emb"));
        let error = read_all(&tensors).unwrap_err().to_string();
        assert!(error.contains("lacks tensor enc.df_fc_emb.w"), "{error}");
    }

    #[test]
    fn a_layer_too_many_is_named() {
        let mut tensors = small_tensors();
        let gru: Vec<_> =
            ["W", "R", "b"].map(|role| tensors[&format!("df_dec.df_gru.gru0.{role}")].clone()).into();
        for (role, tensor) in ["W", "R", "b"].into_iter().zip(gru) {
            tensors.insert(format!("df_dec.df_gru.gru7.{role}"), tensor);
        }
        let error = read_all(&tensors).unwrap_err().to_string();
        assert!(error.contains("unknown tensor df_dec.df_gru.gru1.W"), "{error}");
    }

    #[test]
    fn layers_without_end_are_refused() {
        let mut writer = writing::Writer::default();
        for _ in 0..=MAX_NODES {
            writer.node("Add", "", &[]);
        }
        let outcome = Graph::parse(writer.finish().into());
        assert!(outcome.is_err_and(|reason| reason.contains("more than 4096")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn truncated_graphs_are_refused(graph_idx in 0..GRAPHS.len(), cut in 0.0..1.0f64) {
            let name = GRAPHS[graph_idx];
            let bytes = graph(name, &small_tensors());
            let len = (cut * bytes.len() as f64) as usize;
            let layout = Layout::new(&small_config());
            let outcome = read_graph(name, bytes[..len].to_vec().into(), &layout, &mut BTreeMap::new());
            prop_assert!(outcome.is_err());
        }

        // A flipped bit of a weight is a valid weight, which the archive's checksum refuses. Here only: no panic, and
        // whatever is accepted has every tensor in shape.
        #[test]
        fn altered_graphs_never_yield_wrong_shapes(
            graph_idx in 0..GRAPHS.len(),
            flips in proptest::collection::vec((0.0..1.0f64, 1u8..), 1..32),
        ) {
            let name = GRAPHS[graph_idx];
            let mut bytes = graph(name, &small_tensors());
            let n_bytes = bytes.len() as f64;
            for (at, mask) in flips {
                bytes[(at * n_bytes) as usize] ^= mask;
            }
            let layout = Layout::new(&small_config());
            let mut tensors = BTreeMap::new();
            if read_graph(name, bytes.into(), &layout, &mut tensors).is_ok() {
                for (tensor, read) in &tensors {
                    prop_assert_eq!(layout.shape(tensor), Some(read.shape.as_slice()));
                }
            }
        }

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let layout = Layout::new(&small_config());
            // Behind the tag of the graph and its length, and bare.
            let mut framed = vec![0x3a, (bytes.len() & 0x7f) as u8 | 0x80, (bytes.len() >> 7) as u8];
            framed.extend(&bytes);
            prop_assert!(read_graph("enc", framed.into(), &layout, &mut BTreeMap::new()).is_err());
            prop_assert!(read_graph("enc", bytes.into(), &layout, &mut BTreeMap::new()).is_err());
        }
    }
}
