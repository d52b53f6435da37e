//! Writes graphs for tests, in the forms that exporters use.

use super::*;

/// `GraphProto`, its messages encoded already.
#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    node: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    initializer: Vec<Bytes>,
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
        ModelProto { graph: Some(self.graph.encode_to_vec().into()) }.encode_to_vec()
    }

    fn push_node(&mut self, op_type: &str, name: &str, input: Vec<String>) {
        let linear = AttributeProto { name: "linear_before_reset".into(), i: 1, ..Default::default() };
        let attribute = if op_type == "GRU" { vec![linear.encode_to_vec().into()] } else { Vec::new() };
        let (op_type, name) = (op_type.into(), name.into());
        let node = NodeProto { input, output: vec!["y".into()], name, op_type, attribute };
        self.graph.node.push(node.encode_to_vec().into());
    }

    /// Stores a tensor as one of: raw initialiser, initialiser of floats, constant.
    fn store(&mut self, tensor: &Tensor) -> String {
        let name = format!("stored_{}", self.n_stored);
        let raw = tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut proto = TensorProto {
            dims: tensor.shape.iter().map(|&dim| dim as i64).collect(),
            data_type: FLOAT,
            name: name.clone(),
            raw_data: raw.into(),
            ..Default::default()
        };
        match self.n_stored % 3 {
            0 => self.graph.initializer.push(proto.encode_to_vec().into()),
            1 => {
                proto.raw_data.clear();
                proto.float_data.clone_from(&tensor.data);
                self.graph.initializer.push(proto.encode_to_vec().into());
            }
            _ => {
                let value = AttributeProto { name: "value".into(), t: Some(proto), ..Default::default() };
                let constant = NodeProto {
                    output: vec![name.clone()],
                    op_type: "Constant".into(),
                    attribute: vec![value.encode_to_vec().into()],
                    ..Default::default()
                };
                self.graph.node.push(constant.encode_to_vec().into());
            }
        }
        self.n_stored += 1;
        name
    }
}
