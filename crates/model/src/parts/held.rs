//! One walk over all parameters of whatever is made of layers: what is wanted, listed, read, changed or saved is
//! found by the same list of fields, written once per struct with `parts!`.

use std::fmt;

use candle_core::Tensor;

use super::{Gradients, Named};
use crate::layers::{Embedding, LayerNorm, Linear, RmsNorm, Weight};

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
    /// A matrix or a table.
    Matrix(&'a Weight),
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
            Held::Matrix(Weight::F32(data)) => data.len(),
            Held::Matrix(Weight::Bf16(data)) => data.len(),
            Held::Matrix(Weight::Quantised(tensor)) => tensor.shape().elem_count(),
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
}

impl<P: Parts> Parts for Option<P> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        self.iter().for_each(|part| part.visit(see));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        self.iter_mut().for_each(|part| part.visit_mut(see));
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
        }
    };
}
pub(crate) use parts;

impl Parts for Named<Linear> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        see(Name { layer: &self.key, kind: ".weight" }, Held::Matrix(self.layer.weight()));
        if let Some(bias) = self.layer.bias() {
            see(Name { layer: &self.key, kind: ".bias" }, Held::Vector(bias));
        }
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        see(Name { layer: &self.key, kind: ".weight" }, HeldMut::Matrix(self.layer.weight_mut()));
        if let Some(bias) = self.layer.bias_mut() {
            see(Name { layer: &self.key, kind: ".bias" }, HeldMut::Vector(bias));
        }
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
        see(Name { layer: &self.key, kind: ".weight" }, Held::Matrix(self.layer.weight()));
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        see(Name { layer: &self.key, kind: ".weight" }, HeldMut::Matrix(self.layer.weight_mut()));
    }
}
