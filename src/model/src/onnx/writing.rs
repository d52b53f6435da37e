//! Writes graphs for tests, in the forms that exporters use.

use prost::Message;

use super::FLOAT;
use crate::Tensor;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
}

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
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(message, optional, tag = "5")]
    t: Option<TensorProto>,
}

/// `TensorProto`, as prost reads and writes it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int64, tag = "2")]
    pub data_type: i64,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    #[prost(int64, tag = "14")]
    pub data_location: i64,
}

/// A graph under construction.
#[derive(Default)]
pub struct Writer {
    graph: GraphProto,
    n_stored: usize,
}

impl Writer {
    /// Adds an operator whose inputs after the first are the stored tensors.
    pub fn node(&mut self, op_type: &str, name: &str, weights: &[&Tensor]) {
        let mut input = vec!["x".to_owned()];
        input.extend(weights.iter().map(|tensor| self.store(tensor)));
        self.push_node(op_type, name, input);
    }

    /// Encodes the model around the graph.
    pub fn finish(self) -> Vec<u8> {
        ModelProto { graph: Some(self.graph) }.encode_to_vec()
    }

    fn push_node(&mut self, op_type: &str, name: &str, input: Vec<String>) {
        let linear = AttributeProto { name: "linear_before_reset".into(), i: 1, ..Default::default() };
        let attribute = if op_type == "GRU" { vec![linear] } else { Vec::new() };
        let (op_type, name) = (op_type.into(), name.into());
        let node = NodeProto { input, output: vec!["y".into()], name, op_type, attribute };
        self.graph.node.push(node);
    }

    /// Stores a tensor as one of: raw initialiser, initialiser of floats, constant.
    fn store(&mut self, tensor: &Tensor) -> String {
        let name = format!("stored_{}", self.n_stored);
        let raw = tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut proto = TensorProto {
            dims: tensor.shape.iter().map(|&dim| dim as i64).collect(),
            data_type: FLOAT,
            name: name.clone(),
            raw_data: raw,
            ..Default::default()
        };
        match self.n_stored % 3 {
            0 => self.graph.initializer.push(proto),
            1 => {
                proto.raw_data.clear();
                proto.float_data.clone_from(&tensor.data);
                self.graph.initializer.push(proto);
            }
            _ => {
                let value = AttributeProto { name: "value".into(), t: Some(proto), ..Default::default() };
                let constant = NodeProto {
                    output: vec![name.clone()],
                    op_type: "Constant".into(),
                    attribute: vec![value],
                    ..Default::default()
                };
                self.graph.node.push(constant);
            }
        }
        self.n_stored += 1;
        name
    }
}
