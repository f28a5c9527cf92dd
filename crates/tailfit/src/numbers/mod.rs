//! The arithmetic that everything is built on: the number type trained in, registers of it, and
//! sums in a fixed order.

mod lane;
mod lanes;
mod real;

pub(crate) use self::lane::Lane;
pub(crate) use self::lanes::{any, max_of, product_of_one_plus, replace_and_sum, sum_map};
pub(crate) use self::real::{Real, exp};
