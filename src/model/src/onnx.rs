//! A graph's weights by canonical name.
//!
//! Only the few protobuf messages that hold weights are decoded, and the graph is walked one message at a time: a
//! hostile file cannot make many small messages into large memory, because texts and bytes are slices of the input
//! and the number of kept nodes is bounded.

use std::collections::{BTreeMap, HashMap};

use crate::container::floats;
use crate::{Layout, ModelError, Tensor};

mod protobuf;

use protobuf::Fields;

/// Most nodes with weights that we keep; the largest published graph has about 60 and 100 constants.
const MAX_NODES: usize = 4096;

/// Number of `ModelProto`'s field for the graph; all numbers are those of onnx.proto, ONNX 1.13.
const MODEL_GRAPH: u32 = 7;

/// Numbers of `GraphProto`'s fields.
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALIZER: u32 = 5;

/// `NodeProto`; attributes undecoded.
#[derive(Debug, Default, PartialEq)]
struct Node<'a> {
    input: Vec<&'a str>,
    output: Vec<&'a str>,
    name: &'a str,
    op_type: &'a str,
    attribute: Vec<&'a [u8]>,
}

impl<'a> Node<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, String> {
        let mut node = Self::default();
        for field in Fields(message) {
            match field? {
                (1, value) => node.input.push(value.text()?),
                (2, value) => node.output.push(value.text()?),
                (3, value) => node.name = value.text()?,
                (4, value) => node.op_type = value.text()?,
                (5, value) => node.attribute.push(value.bytes()?),
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&self, name: &str) -> Result<Option<Attribute<'a>>, String> {
        for message in &self.attribute {
            let attribute = Attribute::decode(message)?;
            if attribute.name == name {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }
}

/// `AttributeProto`: number, text or tensor.
#[derive(Debug, Default, PartialEq)]
struct Attribute<'a> {
    name: &'a str,
    number: i64,
    text: &'a [u8],
    tensor: Option<Stored<'a>>,
}

impl<'a> Attribute<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, String> {
        let mut attribute = Self::default();
        for field in Fields(message) {
            match field? {
                (1, value) => attribute.name = value.text()?,
                (3, value) => attribute.number = value.integer()?,
                (4, value) => attribute.text = value.bytes()?,
                (5, value) => attribute.tensor = Some(Stored::decode(value.bytes()?)?),
                _ => {}
            }
        }
        Ok(attribute)
    }
}

/// `TensorProto` of floats.
#[derive(Debug, Default, PartialEq)]
struct Stored<'a> {
    dims: Vec<i64>,
    data_type: i64,
    float_data: Vec<f32>,
    name: &'a str,
    raw_data: &'a [u8],
    data_location: i64,
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i64 = 1;

impl<'a> Stored<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, String> {
        let mut stored = Self::default();
        for field in Fields(message) {
            match field? {
                (1, value) => value.append_integers(&mut stored.dims)?,
                (2, value) => stored.data_type = value.integer()?,
                (4, value) => value.append_floats(&mut stored.float_data)?,
                (8, value) => stored.name = value.text()?,
                (9, value) => stored.raw_data = value.bytes()?,
                (14, value) => stored.data_location = value.integer()?,
                _ => {}
            }
        }
        Ok(stored)
    }

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
        let data = if self.float_data.is_empty() { floats(self.raw_data) } else { self.float_data.clone() };
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
    bytes: &[u8],
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
struct Graph<'a> {
    /// Nodes that may hold weights, in the order of execution.
    nodes: Vec<Node<'a>>,
    /// Initialisers and outputs of `Constant` nodes by their ONNX name: exporters use either for weights.
    stored: HashMap<&'a str, Stored<'a>>,
}

impl<'a> Graph<'a> {
    fn parse(model: &'a [u8]) -> Result<Self, String> {
        let mut graph = None;
        for field in Fields(model) {
            if let (MODEL_GRAPH, value) = field? {
                graph = Some(value.bytes()?);
            }
        }
        let mut nodes = Vec::new();
        let mut stored = HashMap::new();
        for field in Fields(graph.ok_or("it holds no graph")?) {
            match field? {
                (GRAPH_INITIALIZER, value) => {
                    let tensor = Stored::decode(value.bytes()?)?;
                    stored.insert(tensor.name, tensor);
                }
                (GRAPH_NODE, value) => {
                    let node = Node::decode(value.bytes()?)?;
                    match node.op_type {
                        "Constant" => {
                            if let (Some(name), Some(value)) = (node.output.first(), node.attribute("value")?)
                            {
                                stored.extend(value.tensor.map(|tensor| (*name, tensor)));
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
    fn node(&mut self, node: &Node<'_>, stored: &HashMap<&str, Stored<'_>>) -> Result<(), ModelError> {
        let mut path = node.name.trim_matches('/').split('/');
        let layer = format!("{}.{}", self.graph, path.next().unwrap_or_default());
        let input = |idx: usize| node.input.get(idx).copied().filter(|name| !name.is_empty());
        match node.op_type {
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
        stored: &HashMap<&str, Stored<'_>>,
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
    fn check_gru(&self, node: &Node<'_>) -> Result<(), ModelError> {
        let find = |name| node.attribute(name).map_err(|reason| self.error(reason));
        let linear_before_reset = find("linear_before_reset")?.is_some_and(|attribute| attribute.number == 1);
        let forward = find("direction")?.is_none_or(|attribute| attribute.text == b"forward");
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
    use prost::Message;

    use super::*;
    use crate::testing::{GRAPHS, graph, small_config, small_tensors};

    fn stored() -> writing::TensorProto {
        writing::TensorProto {
            dims: vec![1, 2, 300, -1],
            data_type: FLOAT,
            float_data: vec![1.0, -2.0],
            name: "stored".into(),
            raw_data: vec![1, 2, 3],
            data_location: 1,
        }
    }

    fn read_all(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, ModelError> {
        let mut read = BTreeMap::new();
        for name in GRAPHS {
            read_graph(name, &graph(name, tensors), &Layout::new(&small_config()), &mut read)?;
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
        let model = writer.finish();
        let outcome = Graph::parse(&model);
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
            let outcome = read_graph(name, &bytes[..len], &layout, &mut BTreeMap::new());
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
            if read_graph(name, &bytes, &layout, &mut tensors).is_ok() {
                for (tensor, read) in &tensors {
                    prop_assert_eq!(layout.shape(tensor), Some(read.shape.as_slice()));
                }
            }
        }

        // Whatever prost refuses is refused. (It reads groups as well.)
        #[test]
        fn a_tensor_is_read_as_prost_reads_it(
            flips in proptest::collection::vec((0.0..1.0f64, 1u8..), 0..4),
        ) {
            let mut bytes = stored().encode_to_vec();
            let n_bytes = bytes.len() as f64;
            for (at, mask) in flips {
                bytes[(at * n_bytes) as usize] ^= mask;
            }
            if let Ok(read) = Stored::decode(&bytes) {
                let expected = writing::TensorProto::decode(bytes.as_slice()).unwrap();
                prop_assert_eq!(read.dims, expected.dims);
                prop_assert_eq!(read.data_type, expected.data_type);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&read.float_data), bits(&expected.float_data));
                prop_assert_eq!(read.name, expected.name);
                prop_assert_eq!(read.raw_data, expected.raw_data);
                prop_assert_eq!(read.data_location, expected.data_location);
            }
        }

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let layout = Layout::new(&small_config());
            // Behind the tag of the graph and its length, and bare.
            let mut framed = vec![0x3a, (bytes.len() & 0x7f) as u8 | 0x80, (bytes.len() >> 7) as u8];
            framed.extend(&bytes);
            prop_assert!(read_graph("enc", &framed, &layout, &mut BTreeMap::new()).is_err());
            prop_assert!(read_graph("enc", &bytes, &layout, &mut BTreeMap::new()).is_err());
        }
    }
}
