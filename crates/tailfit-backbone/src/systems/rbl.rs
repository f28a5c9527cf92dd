//! RBL: a simplex that turns.

use serde::{Deserialize, Serialize};
use tailfit::class_counts::ClassCounts;
use tailfit::error::Result;

use super::{AnySystem, System, log_prior, needs, not_negative};
use crate::heads::{HeadLayer, LinearMap, orthonormalised, overwrite};
use crate::network::Network;
use crate::recipe::BackboneRecipe;

/// Rotation-balanced learning: no class vectors are learned, only the rotation of a simplex of them
/// (the head `rotated-etf`), with the recipe's loss. Predictions subtract τ log πₖ.
///
/// After every step the rotation is replaced by the nearest matrix with orthonormal rows. Deviation:
/// the authors take the matrix exponential of free coordinates, in which momentum and weight decay act
/// otherwise.
///
/// Source: Peifeng et al., "Feature Directions Matter: Long-Tailed Learning via Rotated Balanced
/// Representation", ICML 2023. Its settings are not published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rbl {
    /// τ, the share of the prior that predictions subtract; the authors' is 1.
    pub strength: f64,
}

impl System for Rbl {
    fn check(&self, recipe: &BackboneRecipe) -> Result<()> {
        not_negative("system.strength", self.strength)?;
        if recipe.head != HeadLayer::RotatedEtf {
            return Err(needs("head", "rotated-etf", crate::checkpoint::named(&recipe.head)));
        }
        Ok(())
    }

    fn after_step(&self, network: &Network) {
        if let Some(rotation) = network.rotation() {
            overwrite(rotation, &orthonormalised(rotation));
        }
    }

    fn prediction(&self, network: &Network, counts: &ClassCounts) -> Option<LinearMap> {
        let LinearMap { weight, .. } = network.head_map();
        let bias = Some(log_prior(counts, &weight) * -self.strength);
        Some(LinearMap { weight, bias })
    }

    fn with_strength(&self, strength: f64) -> Option<AnySystem> {
        Some(AnySystem::Rbl(Self { strength }))
    }
}
