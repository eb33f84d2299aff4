//! Rules of info commands, each as a command and its answer.

mod recorded;
