//! Notes that clients carry from one call to the next. They are numbers by which the server finds what it noted itself, so
//! there is nothing in them to change.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rustix::rand::{GetRandomFlags, getrandom};

/// How many notes are kept; clients that come back later begin anew.
const KEPT: usize = 256;

#[derive(Debug, Clone, Default)]
pub struct States(Arc<Mutex<VecDeque<Note>>>);

#[derive(Debug)]
struct Note {
    number: String,
    tool: &'static str,
    round: usize,
}

impl States {
    pub fn note(&self, tool: &'static str, round: usize) -> Result<String, ErrorData> {
        let mut random = [0; 16];
        getrandom(&mut random, GetRandomFlags::empty()).map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        let number = hex::encode(random);
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push_back(Note { number: number.clone(), tool, round });
        if notes.len() > KEPT {
            notes.pop_front();
        }
        Ok(number)
    }

    pub fn round(&self, tool: &str, number: &str) -> Result<usize, ErrorData> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = notes.iter().find(|note| note.tool == tool && note.number == number);
        note.map(|note| note.round).ok_or_else(|| ErrorData::invalid_params("this requestState was not given", None))
    }
}
