//! fragmint turns encoded elementary streams into CMAF: segments, and the HLS playlists and DASH manifest that name them. It encodes
//! nothing: every frame comes out as it went in, with its exact time.
//!
//! A whole package, as the command `fragmint package` makes it:
//!
//! ```no_run
//! use fragmint::package::{InputRequest, Request, run};
//!
//! let request = Request::new(vec![InputRequest::new("720p.h264"), InputRequest::new("en.aac")], "out");
//! let plan = run::plan(&request, &|_bytes| {})?;
//! let report = run::write(&request, &plan, &|_bytes| {})?;
//! println!("{} files", report.files);
//! # Ok::<(), fragmint::Error>(())
//! ```
//!
//! # The way of a byte
//!
//! ```text
//! input ──► io::windows ──► scan ──► access units ──► track::Samples (no payload) ──► track::timeline
//!                           codec: what headers say                                        │
//!                                                                    plan: where to cut ◄──┘
//!                                 fragment: one PieceList a segment ◄──┘
//!                                 header bytes │ length │ source range │ …
//! input ──── payload, moved once ──► io::segment_file, io::publish ──► io::check ──► manifests, receipt
//! ```
//!
//! An encoder pipeline has no input file: it pushes packets into a [`segmenter::Segmenter`], or writes them into the segment
//! file itself, and the same scan, timeline, fragment and segment file give the same bytes.
//!
//! ```text
//! packet ──► segmenter::packets ──► io::streaming_file: payload first ──► cut: fragment::Header in front ──► Segment
//! ```
//!
//! # Modules
//!
//! | module | turns what into what |
//! |---|---|
//! | [`package`] | a request over files ► a plan ► a published package, and its report |
//! | [`segmenter`] | packets of an encoder ► a segment file for each cut ► a finished track |
//! | [`verify`] | a package on disk, of whatever packager ► what is wrong with it |
//! | [`manifest`] | finished tracks ► HLS playlists, a DASH manifest |
//! | [`presentation`] | what manifests describe: segments, tracks, bit rates, names; parts of a track ► the whole; whether tracks line up |
//! | [`plan`] | sync sample times ► where to cut |
//! | [`fragment`] | samples ► the piece list of a media segment |
//! | [`track`] | samples and their times; the init segment, written and read |
//! | [`scan`] | bytes ► NAL units, access units, temporal units, superframes; frames and packets of audio |
//! | [`codec`] | headers ► configuration records, codec strings, picture order |
//! | [`boxes`] | values ► boxes of the ISO base media file format |
//! | [`bits`], [`bytes`] | bits of a NAL unit; big-endian integers |
//! | [`time`], [`hash`], [`error`] | timescales, ticks, frame rates; the hash of a file; the one error type |
//! | [`io`] | inputs, segment files, the output directory: beside the others, all that touches files |
//!
//! Apart from `io`, [`segmenter`], [`package::ingest`], [`package::run`] and its verification everything is pure: bytes and values in, values and bytes out.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod bits;
pub mod boxes;
pub mod bytes;
pub mod codec;
pub mod error;
pub mod fragment;
pub mod hash;
pub mod io;
pub mod manifest;
pub mod package;
pub mod plan;
pub mod presentation;
pub mod scan;
pub mod segmenter;
pub mod time;
pub mod track;
pub mod verify;

pub use error::{Error, ErrorKind, Result};

/// The code of the chapter for embedders, which is compiled as the documentation's is.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;
