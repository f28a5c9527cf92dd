//! Checks a backbone's recipe: the range of each number, and whether the parts fit together.

use tailfit::error::{Error, Result};
use tailfit::losses::ClassWeights;
use tailfit::recipe::Sampler;

use crate::checkpoint::named;
use crate::heads::HeadLayer;
use crate::recipe::BackboneRecipe;
use crate::systems::AnySystem;

impl BackboneRecipe {
    /// Checks that every value is in range.
    ///
    /// # Errors
    ///
    /// If one is not; the message names the first such key.
    pub fn check(&self) -> Result<()> {
        let positive = |key: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(Error::usage(key, "a number above 0", value, ""))
        };
        self.cost.check()?;
        if self.cost.class_weights == ClassWeights::EffectiveArea {
            let expected = "weights that can be known before there are features";
            return Err(Error::usage("class_weights", expected, "effective-area", ""));
        }
        self.sgd.check()?;
        self.sampler.check()?;
        if self.sampler == Sampler::Learned {
            let expected = "a sampler that needs no features; `learned` is for heads";
            return Err(Error::usage("sampler", expected, "learned", ""));
        }
        positive("lr", self.sgd.lr)?;
        positive("epochs", self.sgd.epochs as f64)?;
        positive("score_every", self.score_every as f64)?;
        match self.head {
            HeadLayer::Cosine { scale } => positive("head.cosine.scale", scale)?,
            HeadLayer::CausalCosine { chunks, scale } => {
                positive("head.causal-cosine.scale", scale)?;
                let dim = self.network.dim();
                if chunks == 0 || !dim.is_multiple_of(chunks) {
                    let expected = format!("a divisor of {dim}, the number of features");
                    return Err(Error::usage("head.causal-cosine.chunks", expected, chunks, ""));
                }
            }
            HeadLayer::RotatedEtf if !matches!(self.system, Some(AnySystem::Rbl(_))) => {
                let expected =
                    "system = { name = \"rbl\", ... }, which keeps rotated-etf a rotation";
                let found = self.system.map_or("none".to_owned(), |system| system.to_string());
                return Err(Error::usage("system", expected, found, ""));
            }
            HeadLayer::Linear | HeadLayer::FixedEtf | HeadLayer::RotatedEtf => {}
        }
        self.system().check(self)?;
        positive("image_size", self.image_size.unwrap_or(1) as f64)?;
        for (mean, std) in self.image_mean.into_iter().zip(self.image_std) {
            let expected = "a number on the scale 0 to 1, not 0 to 255";
            if !(0.0..=1.0).contains(&mean) {
                return Err(Error::usage("image_mean", expected, mean, ""));
            }
            if !(std > 0.0 && std <= 1.0) {
                return Err(Error::usage("image_std", expected, std, ""));
            }
        }
        if self.sgd.batch_size < 2 {
            let expected = "at least 2, as batch statistics require";
            return Err(Error::usage("batch_size", expected, self.sgd.batch_size, ""));
        }
        Ok(())
    }

    /// Checks what depends on the number of classes.
    ///
    /// # Errors
    ///
    /// If a fixed frame of so many class vectors does not fit into the network's features.
    pub(crate) fn check_classes(&self, n_classes: usize) -> Result<()> {
        let dim = self.network.dim();
        if self.head == HeadLayer::FixedEtf && dim < n_classes {
            let expected = format!(
                "a network with at least {n_classes} features, as fixed-etf has one vector a class"
            );
            let found = format!("{}, which has {dim}", named(&self.network));
            return Err(Error::usage(
                "network",
                expected,
                found,
                "use resnet34-cifar, or another head",
            ));
        }
        Ok(())
    }
}
