//! One walk over all parameters of whatever is made of layers: what is wanted, listed, read, changed or saved is
//! found by the same list of fields, written once per struct with `parts!`.

use std::fmt;

use candle_core::Tensor;

use super::{Gradients, Named};
use crate::layers::{Embedding, LayerNorm, Linear, RmsNorm, Weight};

/// What follows a layer's key in the names of its adapter's two matrices.
pub(crate) const LORA_A: &str = ".lora_A.weight";
pub(crate) const LORA_B: &str = ".lora_B.weight";

/// A parameter's key in two pieces, so that looking for one makes no strings.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    layer: &'a str,
    kind: &'static str,
}

impl Name<'_> {
    /// Whether this is the name of `key`.
    pub fn is(&self, key: &str) -> bool {
        key.strip_prefix(self.layer) == Some(self.kind)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.layer, self.kind)
    }
}

/// A parameter where it is held.
#[derive(Clone, Copy)]
pub enum Held<'a> {
    /// A matrix or a table, with its rows and columns.
    Matrix(&'a Weight, [usize; 2]),
    /// A norm's weight or a bias.
    Vector(&'a Tensor),
}

/// [`Held`], to be changed.
pub enum HeldMut<'a> {
    /// A matrix or a table.
    Matrix(&'a mut Weight),
    /// A norm's weight or a bias.
    Vector(&'a mut Tensor),
}

impl Held<'_> {
    /// Numbers in it.
    pub fn len(&self) -> usize {
        match self {
            Held::Matrix(_, [rows, columns]) => rows * columns,
            Held::Vector(tensor) => tensor.elem_count(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Something with parameters.
pub trait Parts {
    /// Shows every parameter, in order of the forward pass.
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>));

    /// Hands out every parameter to be changed, in the same order.
    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>));

    /// Hands out every matrix that multiplies, with its layer.
    fn visit_linears(&mut self, _see: &mut dyn FnMut(&mut Named<Linear>)) {}

    /// Whether any gradient is wanted.
    fn wanted(&self, grads: &Gradients<'_>) -> bool {
        let mut any = false;
        self.visit(&mut |name, _| any = any || grads.wants(&name.to_string()));
        any
    }
}

impl<P: Parts> Parts for Vec<P> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        self.iter().for_each(|part| part.visit(see));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        self.iter_mut().for_each(|part| part.visit_mut(see));
    }

    fn visit_linears(&mut self, see: &mut dyn FnMut(&mut Named<Linear>)) {
        self.iter_mut().for_each(|part| part.visit_linears(see));
    }
}

impl<P: Parts> Parts for Option<P> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        self.iter().for_each(|part| part.visit(see));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        self.iter_mut().for_each(|part| part.visit_mut(see));
    }

    fn visit_linears(&mut self, see: &mut dyn FnMut(&mut Named<Linear>)) {
        self.iter_mut().for_each(|part| part.visit_linears(see));
    }
}

/// The fields of a struct that have parameters, in order of the forward pass.
macro_rules! parts {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::parts::Parts for $type {
            fn visit<'a>(
                &'a self,
                see: &mut dyn FnMut($crate::parts::Name<'a>, $crate::parts::Held<'a>),
            ) {
                $($crate::parts::Parts::visit(&self.$field, see);)*
            }

            fn visit_mut(
                &mut self,
                see: &mut dyn FnMut($crate::parts::Name<'_>, $crate::parts::HeldMut<'_>),
            ) {
                $($crate::parts::Parts::visit_mut(&mut self.$field, see);)*
            }

            fn visit_linears(
                &mut self,
                see: &mut dyn FnMut(&mut $crate::parts::Named<$crate::layers::Linear>),
            ) {
                $($crate::parts::Parts::visit_linears(&mut self.$field, see);)*
            }
        }
    };
}
pub(crate) use parts;

impl Parts for Named<Linear> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        let shape = |linear: &Linear| [linear.outputs(), linear.inputs()];
        let matrix = |linear: &'a Linear| Held::Matrix(linear.weight(), shape(linear));
        see(Name { layer: &self.key, kind: ".weight" }, matrix(&self.layer));
        if let Some(bias) = self.layer.bias() {
            see(Name { layer: &self.key, kind: ".bias" }, Held::Vector(bias));
        }
        if let Some(lora) = self.layer.lora() {
            see(Name { layer: &self.key, kind: LORA_A }, matrix(&lora.a));
            see(Name { layer: &self.key, kind: LORA_B }, matrix(&lora.b));
        }
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        see(Name { layer: &self.key, kind: ".weight" }, HeldMut::Matrix(self.layer.weight_mut()));
        if let Some(bias) = self.layer.bias_mut() {
            see(Name { layer: &self.key, kind: ".bias" }, HeldMut::Vector(bias));
        }
        if let Some(lora) = self.layer.lora_mut() {
            see(Name { layer: &self.key, kind: LORA_A }, HeldMut::Matrix(lora.a.weight_mut()));
            see(Name { layer: &self.key, kind: LORA_B }, HeldMut::Matrix(lora.b.weight_mut()));
        }
    }

    fn visit_linears(&mut self, see: &mut dyn FnMut(&mut Named<Linear>)) {
        see(self);
    }
}

impl Parts for Named<RmsNorm> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        see(Name { layer: &self.key, kind: ".weight" }, Held::Vector(&self.layer.weight));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        see(Name { layer: &self.key, kind: ".weight" }, HeldMut::Vector(&mut self.layer.weight));
    }
}

impl Parts for Named<LayerNorm> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        see(Name { layer: &self.key, kind: ".weight" }, Held::Vector(&self.layer.weight));
        see(Name { layer: &self.key, kind: ".bias" }, Held::Vector(&self.layer.bias));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        see(Name { layer: &self.key, kind: ".weight" }, HeldMut::Vector(&mut self.layer.weight));
        see(Name { layer: &self.key, kind: ".bias" }, HeldMut::Vector(&mut self.layer.bias));
    }
}

impl Parts for Named<Embedding> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        let shape = [self.layer.vocabulary(), self.layer.width()];
        see(Name { layer: &self.key, kind: ".weight" }, Held::Matrix(self.layer.weight(), shape));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        see(Name { layer: &self.key, kind: ".weight" }, HeldMut::Matrix(self.layer.weight_mut()));
    }
}
