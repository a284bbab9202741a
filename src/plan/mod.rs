//! Where to cut: sync sample times of a switching set ► the instants its segments start at, and the audio samples that
//! start the audio segments beside them. Pure and exact: integers and fractions of integers only, so nothing drifts.
//!
//! Lengths that a person asked for are a [`SegmentDuration`]; [`plan_cuts`] serves the renditions of one switching set
//! together, [`plan_selection_cuts`] several such sets side by side, [`plan_period_cuts`] those whose tracks change, [`plan_audio_cuts`] one audio track, beside video or
//! alone.

mod audio;
mod periods;
mod segment_duration;
mod selection_set;
mod switching_set;

pub use audio::{AudioTimes, plan_audio_cuts};
pub use periods::plan_period_cuts;
pub use segment_duration::SegmentDuration;
pub use selection_set::{SelectionCuts, SwitchingSetTimes, plan_selection_cuts};
pub use switching_set::{Cuts, RenditionTimes, plan_cuts};
