//! What shows that the segmenter is right: a model that keeps everything in vectors (`model`), the same calls on both
//! with all answers and files compared (`calls`), and streams to call them with (`streams`).

mod calls;
mod fuzz;
mod model;
mod units;

#[cfg(test)]
mod drawn;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod opus;
#[cfg(test)]
mod sequences;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod superframes;
#[cfg(test)]
mod syncframes;
#[cfg(test)]
mod temporal_units;
#[cfg(test)]
mod workers;

pub use fuzz::fuzz_calls;
